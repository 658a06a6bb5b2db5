"""Does the model's file fit its spec? Asked before any work starts, in a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fqbench import isolate
from fqbench.errors import UsageError
from fqbench.spec.model import Logits, ModelSpec, YoloV5, YoloX

TIMEOUT_S = 300.0

SECOND_INPUT = "scale_factor"
"""PP-YOLOE's input beside the image."""

BOX_VALUES = 5
"""x, y, width, height and objectness, before the classes of a row."""

Shape = Sequence[int]
"""Sizes; -1 where free."""


@dataclass(frozen=True)
class ModelFacts:
    """What the file says: inputs in order, which of them takes the image, and how many classes
    the output has (None where it does not tell)."""

    inputs: tuple[str, ...]
    image_input: str
    classes: int | None = None


def check_model(spec: ModelSpec) -> ModelFacts:
    """Read the model's file and compare it with the spec.

    Raises UsageError with the file, what it holds and what the spec expects.
    """
    found: Any = isolate.call(
        f"fqbench.spec.inspect:inspect_{spec.source_format}",
        {"model": str(spec.model), "params": str(spec.params)},
        timeout_s=TIMEOUT_S,
        name=f"reading {spec.model.name}",
    )
    return compare(spec, found["inputs"], found["outputs"])


def compare(
    spec: ModelSpec, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]
) -> ModelFacts:
    """The facts of a model with these inputs and outputs. Pure. Raises UsageError."""
    image = _image_input(spec, inputs)
    shape, wanted = inputs[image], spec.input_shape
    fits = len(shape) == 4 and all(s in (-1, w) for s, w in zip(shape, wanted, strict=True))
    if not fits:
        raise UsageError(
            f"{spec.model}: input {image!r} has shape {_shown(shape)}, the spec of {spec.name}"
            f" makes {_shown(wanted)}: see preprocess.resize.size and preprocess.color"
        )
    _check_outputs(spec, outputs)
    return ModelFacts(tuple(inputs), image, _classes(spec, list(outputs.values())))


def _classes(spec: ModelSpec, outputs: Sequence[Shape]) -> int | None:
    """Number of classes by the shape of the only output."""
    if len(outputs) != 1 or not outputs[0]:
        return None
    last = outputs[0][-1]
    if isinstance(spec.decode, Logits) and len(outputs[0]) == 2 and last > 0:
        return last
    if isinstance(spec.decode, YoloV5 | YoloX) and last > BOX_VALUES:
        return last - BOX_VALUES
    return None


def _image_input(spec: ModelSpec, inputs: Mapping[str, Shape]) -> str:
    names = ", ".join(inputs)
    if spec.input is not None:
        if spec.input not in inputs:
            raise UsageError(
                f"{spec.model}: the spec's key input is {spec.input!r}, the model has: {names}"
            )
        return spec.input
    images = [name for name in inputs if name != SECOND_INPUT]
    if len(images) != 1:
        raise UsageError(
            f"{spec.model}: the model has the inputs {names}: name the image by the key input"
        )
    return images[0]


def _check_outputs(spec: ModelSpec, outputs: Mapping[str, Shape]) -> None:
    if not isinstance(spec.decode, YoloV5 | YoloX):
        return
    shape = next(iter(outputs.values()), ())
    rows = shape[1] if len(shape) == 3 else None
    if len(outputs) != 1 or rows is None or 0 <= shape[2] < 6:
        shapes = ", ".join(_shown(s) for s in outputs.values())
        raise UsageError(
            f"{spec.model}: the outputs have shapes {shapes}, decode.kind {spec.decode.kind!r}"
            " needs one of [1, n, 5 + classes]"
        )
    if isinstance(spec.decode, YoloX):
        height, width = spec.preprocess.resize.output
        cells = sum((height // s) * (width // s) for s in spec.decode.strides)
        if rows not in (-1, cells):
            raise UsageError(
                f"{spec.model}: the output has {rows} rows, decode.strides"
                f" {list(spec.decode.strides)} make {cells}"
            )


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("?" if size < 0 else str(size) for size in shape) + "]"
