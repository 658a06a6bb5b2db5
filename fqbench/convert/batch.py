"""The same graph for more images at once.

Canonical graphs have batch 1, and carry it in constants: shapes of reshapes, sizes of
enlargements, grids that are concatenated. Whether a graph mixes its images after all is told by
running it, see ``check``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.numpy_helper import from_array, to_array

from fqbench.errors import StepError

Array = NDArray[Any]
Run = Callable[[Sequence[Array]], list[Array]]
"""Outputs of a graph for its inputs, both in its order."""

SHAPE_INPUTS = {"Reshape": 1, "Expand": 1, "Resize": 3}
"""Operators that are told a shape with the batch in it, and by which of their inputs."""

NEARNESS = 0.25
"""What one image's outputs may be off when others are beside it, as a part of their distance."""


def rebatched(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return ``model``, of batch 1, for ``batch`` images. Raises StepError where it cannot be.

    Constants that stand for one image in a concatenation are repeated.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in constants:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    added: dict[str, onnx.TensorProto] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if (
                name in constants
                and (new := _changed(node, index, constants[name], batch)) is not None
            ):
                added[f"{name}__of_{batch}"] = from_array(new, f"{name}__of_{batch}")
                node.input[index] = f"{name}__of_{batch}"
    graph.initializer.extend(added.values())
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return onnx.shape_inference.infer_shapes(result, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise StepError(_refused(batch, str(error))) from error


def _changed(node: onnx.NodeProto, index: int, value: Array, batch: int) -> Array | None:
    """What constant input ``index`` of ``node`` becomes; None where it stays."""
    if SHAPE_INPUTS.get(node.op_type) == index and value.size and value.flat[0] == 1:
        new = value.copy()
        new[0] = batch
        return new
    if node.op_type == "Concat" and value.ndim and value.shape[0] == 1:
        axis = next(a.i for a in node.attribute if a.name == "axis")
        return None if axis % value.ndim == 0 else np.repeat(value, batch, axis=0)
    return None


def check(shapes: Mapping[str, Sequence[int]], batch: int, single: Run, many: Run) -> None:
    """Raise StepError where ``many`` does not answer each image of a batch as ``single`` does.

    ``shapes`` are those of the inputs of a single image, in the graph's order. Images are noise of
    falling strength, so that their answers differ.
    """
    rng = np.random.default_rng(0)
    images = [
        [(rng.random(shape) / (1 + i)).astype(np.float32) for shape in shapes.values()]
        for i in range(batch)
    ]
    alone = [single(image) for image in images]
    try:
        together = many([np.concatenate(parts) for parts in zip(*images, strict=True)])
    except Exception as error:  # the runtime's own exceptions share no base class
        raise StepError(_refused(batch, str(error))) from error
    for number, own in enumerate(alone):
        for place, (answer, whole) in enumerate(zip(own, together, strict=True)):
            if whole.shape != (batch * answer.shape[0], *answer.shape[1:]):
                reason = f"output {place} has shape {list(whole.shape)}"
                raise StepError(_refused(batch, reason))
            size = answer.shape[0]
            off = _distance(whole[number * size : (number + 1) * size], answer)
            others = min(_distance(other[place], answer) for other in _without(alone, number))
            if not np.isfinite(off) or off > NEARNESS * others:
                reason = "what it answers for one depends on the others"
                raise StepError(_refused(batch, reason))


def _refused(batch: int, reason: str) -> str:
    return f"the model cannot take {batch} images at once: {reason.strip().splitlines()[-1]}"


def _without(answers: Sequence[list[Array]], number: int) -> list[list[Array]]:
    return [answer for index, answer in enumerate(answers) if index != number]


def _distance(one: Array, other: Array) -> float:
    """Of two outputs; what is infinite or no number in both alike adds nothing."""
    with np.errstate(invalid="ignore"):
        off = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, one - other)
    return float(np.linalg.norm(np.where(np.isnan(off), np.inf, off)))
