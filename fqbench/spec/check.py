"""Does the model's file fit its spec? Asked before any work starts, in a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fqbench import isolate
from fqbench.errors import UsageError
from fqbench.spec.model import (
    SCALE_FACTOR_INPUT,
    Logits,
    ModelSpec,
    PPYoloe,
    PythonDecoder,
    Undecoded,
    YoloV5,
    YoloX,
)

TIMEOUT_S = 300.0

FREE = -1
"""A size that the file leaves open."""

Shape = Sequence[int]
Shapes = Mapping[str, Shape]
"""Of inputs or outputs, by name, in the model's order."""


@dataclass(frozen=True)
class Contents:
    """Inputs and outputs of a model's file; ``nms``: settings of the suppression it ends in."""

    inputs: Shapes
    outputs: Shapes
    nms: Mapping[str, float]


@dataclass(frozen=True)
class ModelFacts:
    """What the file says: inputs in order, and which of them takes the image.

    ``classes``: how many the output has, None where the file does not say. ``decode``: with the
    settings of the file's own non-maximum suppression, None where it holds none.
    ``int8_inputs``: inputs of the spec's INT8 file in order, where it names one.
    """

    inputs: tuple[str, ...]
    image_input: str
    classes: int | None = None
    decode: PPYoloe | None = None
    int8_inputs: tuple[str, ...] | None = None


def check_model(spec: ModelSpec) -> ModelFacts:
    """Read the model's file and compare it with the spec.

    Raises UsageError with the file, what it holds and what the spec expects.
    """
    facts = facts_of(spec, read_file(spec.model, spec.params))
    int8 = spec.of_int8_file
    if int8 is None:
        return facts
    return replace(facts, int8_inputs=facts_of(int8, read_file(int8.model, int8.params)).inputs)


def read_file(model: Path, params: Path | None) -> Contents:
    """What a model's file holds. Raises UsageError where it is no whole model."""
    found: Any = isolate.call(
        "fqbench.spec.inspect:inspect_onnx"
        if model.suffix == ".onnx"
        else "fqbench.spec.inspect:inspect_paddle",
        {"model": str(model), "params": str(params)},
        timeout_s=TIMEOUT_S,
        name=f"reading {model.name}",
    )
    return Contents(**found)


def facts_of(spec: ModelSpec, contents: Contents) -> ModelFacts:
    """``compare`` with what a file holds."""
    return compare(spec, contents.inputs, contents.outputs, contents.nms)


def compare(
    spec: ModelSpec,
    inputs: Shapes,
    outputs: Shapes,
    nms: Mapping[str, float] | None = None,
) -> ModelFacts:
    """The facts of a model with these inputs and outputs. Pure. Raises UsageError."""
    image = _image_input(spec, inputs)
    _check_shape(spec, image, inputs[image])
    _check_second_input(spec, inputs, image)
    classes = _classes(spec, tuple(outputs.values()))
    return ModelFacts(tuple(inputs), image, classes, _decode(spec, nms) if nms else None)


def _decode(spec: ModelSpec, nms: Mapping[str, float]) -> PPYoloe:
    """What the file would do itself is done as it would do it."""
    if not isinstance(spec.decode, PPYoloe | Undecoded):
        raise UsageError(
            f"{spec.model}: the model ends in non-maximum suppression, which decode.kind"
            f" {spec.decode.kind!r} does not expect: 'ppyoloe' does"
        )
    try:
        return PPYoloe.model_validate({"kind": "ppyoloe", **nms})
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
        f"{spec.model}: input {name!r} has shape {_shown(shape)}, the spec of {spec.name} makes"
        f" {_shown(wanted)}: {', '.join(keys)}"
    )


def _check_second_input(spec: ModelSpec, inputs: Shapes, image: str) -> None:
    for name, shape in inputs.items():
        if name == image:
            continue
        if name != SCALE_FACTOR_INPUT or not isinstance(
            spec.decode, PPYoloe | PythonDecoder | Undecoded
        ):
            raise UsageError(
                f"{spec.model}: nothing fills the input {name!r}: only the image is given, and"
                f" {SCALE_FACTOR_INPUT} for decode.kind 'ppyoloe', 'python' or 'none'"
            )
        if not _fits(shape, (1, 2)):
            raise UsageError(
                f"{spec.model}: input {name!r} has shape {_shown(shape)}, expected [1, 2]"
            )


def _classes(spec: ModelSpec, outputs: Sequence[Shape]) -> int | None:
    """How many classes the outputs have, None where unknown. Raises UsageError."""
    if isinstance(spec.decode, PythonDecoder | Undecoded):
        return None
    if isinstance(spec.decode, PPYoloe):
        return _ppyoloe_classes(spec, outputs)
    if isinstance(spec.decode, Logits):
        return _logits_classes(spec, outputs)
    return _yolo_classes(spec, spec.decode, outputs)


def _logits_classes(spec: ModelSpec, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    # Exporters leave ones behind: [1, classes, 1, 1] is read, too.
    if len(shape) < 2 or shape[0] not in (FREE, 1) or sum(size > 1 for size in shape) > 1:
        raise _unexpected(spec, outputs, "one of [1, classes]")
    return max(shape) if FREE not in shape[1:] else None


def _yolo_classes(spec: ModelSpec, decode: YoloV5 | YoloX, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] not in (FREE, 1) or 0 <= shape[2] < 6:
        raise _unexpected(spec, outputs, "one of [1, n, 5 + classes]")
    if isinstance(decode, YoloX):
        height, width = spec.preprocess.resize.output
        cells = sum((height // s) * (width // s) for s in decode.strides)
        if shape[1] not in (FREE, cells):
            raise UsageError(
                f"{spec.model}: the output has {shape[1]} rows, decode.strides"
                f" {list(decode.strides)} make {cells}"
            )
    return shape[2] - 5 if shape[2] != FREE else None


def _ppyoloe_classes(spec: ModelSpec, outputs: Sequence[Shape]) -> int | None:
    """After NMS the shapes depend on the image; what files say of them is not relied on."""
    if len(outputs) not in (1, 2):
        raise _unexpected(spec, outputs, "boxes, and their scores or their count")
    if len(outputs) == 1 and len(outputs[0]) == 3:
        return outputs[0][2] - 4 if outputs[0][2] > 4 else None
    if len(outputs) == 2 and len(outputs[1]) == 3:
        return outputs[1][1] if outputs[1][1] != FREE else None
    return None


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        size in (FREE, want) for size, want in zip(shape, wanted, strict=True)
    )


def _unexpected(spec: ModelSpec, outputs: Sequence[Shape], expected: str) -> UsageError:
    shapes = ", ".join(_shown(shape) for shape in outputs) or "none"
    return UsageError(
        f"{spec.model}: the outputs have shapes {shapes}, decode.kind {spec.decode.kind!r}"
        f" needs {expected}"
    )


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("?" if size == FREE else str(size) for size in shape) + "]"
