"""Does the model's file fit its spec? Asked before any work starts, in a child process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from fqbench import isolate
from fqbench.convert.environment import PROGRAMS
from fqbench.environments import HERE
from fqbench.environments.interpreter import interpreter
from fqbench.errors import UsageError
from fqbench.message import read_answer
from fqbench.spec.contents import CONTENTS, Contents, ModelFile, Shapes
from fqbench.spec.inputs import PLAIN, Filled, ImageForm
from fqbench.spec.interface import IN_FLOAT32, interface, notes
from fqbench.spec.model import ModelSpec
from fqbench.tasks.record import DecoderSettings, Shape
from fqbench.tasks.registry import decoder_of, decoders
from fqbench.tasks.shapes import shown

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class ModelFacts:
    """What the file says: inputs in order, and which of them takes the image.

    ``classes``: how many the output has, None where the file does not say. ``decode``: with the
    settings that the file itself has, of its own non-maximum suppression or in its metadata, None
    where it has none. ``form``: how it takes the image; ``others``: what fills its inputs beside
    that. ``int8``: the same of the spec's INT8 file, where it names one. ``data_files``: files that
    hold weights beside an ONNX file. ``notes``: what is done to the file that its user has to know,
    in words.
    """

    inputs: tuple[str, ...]
    image_input: str
    classes: int | None = None
    decode: DecoderSettings | None = None
    form: ImageForm = PLAIN
    others: Mapping[str, Filled] = field(default_factory=dict)
    int8: ModelFacts | None = None
    data_files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


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
    own = facts_of(int8, read_file(int8.model, int8.params, quantized=True))
    if own.form.batch > 1:
        raise UsageError(
            f"{int8.model}: its batch is fixed to {own.form.batch}, and INT8 files are run as they"
            " are, with one image: export it with batch 1"
        )
    return replace(facts, int8=own)


def read_file(model: Path, params: Path | None, *, quantized: bool = False) -> Contents:
    """What a model's file holds. Raises UsageError where it is no whole model.

    So it does where the model is quantized already, unless it may be ``quantized``.
    """
    name, is_onnx = f"reading {model.name}", model.suffix == ".onnx"
    found = isolate.call(
        "fqbench.spec.inspect:inspect_onnx" if is_onnx else "fqbench.spec.inspect:inspect_paddle",
        ModelFile(model=model, params=params, quantized=quantized).to_json(),
        timeout_s=TIMEOUT_S,
        name=name,
        interpreter=interpreter(HERE if is_onnx else PROGRAMS),
    )
    return read_answer(CONTENTS, found, name)


def facts_of(spec: ModelSpec, contents: Contents) -> ModelFacts:
    """``compare`` with what a file holds."""
    facts = compare(
        spec,
        contents.inputs,
        contents.outputs,
        contents.nms,
        contents.metadata,
        types=contents.types,
    )
    half = (IN_FLOAT32,) if contents.half else ()
    return replace(facts, data_files=contents.data_files, notes=(*half, *facts.notes))


def compare(
    spec: ModelSpec,
    inputs: Shapes,
    outputs: Shapes,
    nms: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
    *,
    types: Mapping[str, str] | None = None,
) -> ModelFacts:
    """The facts of a model with these inputs and outputs. Pure. Raises UsageError.

    ``types``: of inputs that are not float32.
    """
    found = interface(spec, inputs, types or {})
    decode = _decode(spec, nms) if nms else _completed(spec, metadata or {})
    classes = _classes(spec, [_of_one(shape, found.form.batch) for shape in outputs.values()])
    return ModelFacts(
        found.inputs,
        found.image,
        classes,
        decode,
        found.form,
        found.others,
        notes=tuple(notes(spec, found)),
    )


def _of_one(shape: Shape, batch: int) -> Shape:
    """The shape of an output for one image."""
    return (1, *shape[1:]) if batch > 1 and len(shape) > 1 and shape[0] == batch else shape


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
            ": export the model with others"
        ) from error


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


def _listed(kinds: Iterable[str]) -> str:
    *first, last = map(repr, kinds)
    return f"{', '.join(first)} or {last}" if first else last
