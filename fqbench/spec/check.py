"""Does the model's file fit its spec? Asked before any work starts, in a child process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from fqbench import isolate
from fqbench.convert.environment import PROGRAMS
from fqbench.environments import HERE
from fqbench.environments.interpreter import interpreter
from fqbench.errors import UsageError
from fqbench.message import read_answer
from fqbench.spec.contents import CONTENTS, Contents, ModelFile, Shapes
from fqbench.spec.model import SCALE_FACTOR_INPUT, ModelSpec
from fqbench.tasks.record import DecoderSettings, Shape
from fqbench.tasks.registry import decoder_of, decoders
from fqbench.tasks.shapes import FREE, shown

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class ModelFacts:
    """What the file says: inputs in order, and which of them takes the image.

    ``classes``: how many the output has, None where the file does not say. ``decode``: with the
    settings that the file itself has, of its own non-maximum suppression or in its metadata, None
    where it has none.
    ``int8_inputs``: inputs of the spec's INT8 file in order, where it names one. ``data_files``,
    ``int8_data_files``: files that hold weights beside the ONNX files.
    """

    inputs: tuple[str, ...]
    image_input: str
    classes: int | None = None
    decode: DecoderSettings | None = None
    int8_inputs: tuple[str, ...] | None = None
    data_files: tuple[Path, ...] = ()
    int8_data_files: tuple[Path, ...] = ()


def check_model(spec: ModelSpec) -> ModelFacts:
    """Read the model's file and compare it with the spec.

    Raises UsageError with the file, what it holds and what the spec expects.
    """
    facts = facts_of(spec, read_file(spec.model, spec.params))
    int8 = spec.of_int8_file
    if int8 is None:
        return facts
    if facts.decode is not None:
        # What one file notes holds for both.
        int8 = int8.model_copy(update={"decode": facts.decode})
    own = facts_of(int8, read_file(int8.model, int8.params))
    return replace(facts, int8_inputs=own.inputs, int8_data_files=own.data_files)


def read_file(model: Path, params: Path | None) -> Contents:
    """What a model's file holds. Raises UsageError where it is no whole model."""
    name, is_onnx = f"reading {model.name}", model.suffix == ".onnx"
    found = isolate.call(
        "fqbench.spec.inspect:inspect_onnx" if is_onnx else "fqbench.spec.inspect:inspect_paddle",
        ModelFile(model=model, params=params).to_json(),
        timeout_s=TIMEOUT_S,
        name=name,
        interpreter=interpreter(HERE if is_onnx else PROGRAMS),
    )
    return read_answer(CONTENTS, found, name)


def facts_of(spec: ModelSpec, contents: Contents) -> ModelFacts:
    """``compare`` with what a file holds."""
    facts = compare(spec, contents.inputs, contents.outputs, contents.nms, contents.metadata)
    return replace(facts, data_files=contents.data_files)


def compare(
    spec: ModelSpec,
    inputs: Shapes,
    outputs: Shapes,
    nms: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> ModelFacts:
    """The facts of a model with these inputs and outputs. Pure. Raises UsageError."""
    image = _image_input(spec, inputs)
    _check_shape(spec, image, inputs[image])
    _check_second_input(spec, inputs, image)
    classes = _classes(spec, tuple(outputs.values()))
    decode = _decode(spec, nms) if nms else _completed(spec, metadata or {})
    return ModelFacts(tuple(inputs), image, classes, decode)


def _completed(spec: ModelSpec, metadata: Mapping[str, str]) -> DecoderSettings | None:
    """The settings with what the file notes; None where that adds nothing."""
    completed = decoder_of(spec.decode).completed
    if completed is None:
        return None
    try:
        found: DecoderSettings = completed(spec.decode, metadata)
    except UsageError as error:
        raise UsageError(f"{spec.model}: {error}") from error
    return found if found != spec.decode else None


def _decode(spec: ModelSpec, nms: Mapping[str, float]) -> DecoderSettings:
    """What the file would do itself is done as it would do it."""
    own = decoder_of(spec.decode)
    able = {
        known.kind: known.with_nms for known in decoders().values() if known.with_nms is not None
    }
    chosen = next(iter(able.values()), None) if own.function is None else own.with_nms
    if chosen is None:
        raise UsageError(
            f"{spec.model}: the model ends in non-maximum suppression, which decode.kind"
            f" {own.kind!r} does not expect: {_listed(able)} does"
        )
    try:
        return chosen(nms)
    except ValidationError as error:
        raise UsageError(
            f"{spec.model}: the settings of its non-maximum suppression make no sense: {dict(nms)}"
        ) from error


def _image_input(spec: ModelSpec, inputs: Shapes) -> str:
    names = ", ".join(inputs) or "none"
    if spec.input is not None:
        if spec.input not in inputs:
            raise UsageError(
                f"{spec.model}: the spec's key input is {spec.input!r}, the model has: {names}"
            )
        return spec.input
    images = [name for name in inputs if name != SCALE_FACTOR_INPUT]
    if len(images) != 1:
        raise UsageError(
            f"{spec.model}: the model has the inputs {names}: name the image by the key input"
        )
    return images[0]


def _check_shape(spec: ModelSpec, name: str, shape: Shape) -> None:
    wanted = spec.input_shape
    if _fits(shape, wanted):
        return
    keys = []
    if len(shape) != 4 or shape[0] not in (FREE, 1):
        keys.append("expected batch 1 or free, then channels, height and width")
    else:
        if not _fits(shape[1:2], wanted[1:2]):
            keys.append("see preprocess.color")
        if not _fits(shape[2:], wanted[2:]):
            keys.append("see preprocess.resize.size")
    raise UsageError(
        f"{spec.model}: input {name!r} has shape {shown(shape)}, the spec of {spec.name} makes"
        f" {shown(wanted)}: {', '.join(keys)}"
    )


def _check_second_input(spec: ModelSpec, inputs: Shapes, image: str) -> None:
    for name, shape in inputs.items():
        if name == image:
            continue
        if name != SCALE_FACTOR_INPUT or name not in decoder_of(spec.decode).inputs:
            takers = (d.kind for d in decoders().values() if SCALE_FACTOR_INPUT in d.inputs)
            raise UsageError(
                f"{spec.model}: nothing fills the input {name!r}: only the image is given, and"
                f" {SCALE_FACTOR_INPUT} for decode.kind {_listed(takers)}"
            )
        if not _fits(shape, (1, 2)):
            raise UsageError(
                f"{spec.model}: input {name!r} has shape {shown(shape)}, expected [1, 2]"
            )


def _classes(spec: ModelSpec, outputs: Sequence[Shape]) -> int | None:
    """How many classes the outputs have, None where unknown. Raises UsageError."""
    own, size = decoder_of(spec.decode), spec.preprocess.resize.output
    if own.classes_of is None:
        return None
    fitting = [d.kind for d in decoders().values() if d.recognizes and d.recognizes(size, outputs)]
    others = fitting and own.kind not in fitting
    hint = f": decode.kind {_listed(fitting)} reads such outputs" if others else ""
    try:
        classes = own.classes_of(spec.decode, size, outputs)
    except UsageError as error:
        raise UsageError(f"{spec.model}: {error}{hint}") from error
    if others:
        shapes = ", ".join(map(shown, outputs))
        raise UsageError(
            f"{spec.model}: the outputs have shapes {shapes}, which {own.kind!r} does not"
            f" read{hint}"
        )
    return classes


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size in (FREE, want) for size, want in zip(shape, wanted, strict=True)
    )


def _listed(kinds: Iterable[str]) -> str:
    *first, last = map(repr, kinds)
    return f"{', '.join(first)} or {last}" if first else last
