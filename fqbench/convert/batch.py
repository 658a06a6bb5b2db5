"""The same graph for more images at once.

Canonical graphs have batch 1, and carry it in constants: shapes of reshapes, sizes of
enlargements, grids that are concatenated. Whether a graph mixes its images after all is determined
by running it, see ``verify/batch.py``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.numpy_helper import from_array, to_array

from fqbench.errors import StepError

Array = NDArray[Any]

SHAPE_INPUTS = {"Reshape": 1, "Expand": 1, "Resize": 3}
"""Operators that take a shape with the batch in it, and by which of their inputs."""


def rebatched(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return ``model``, of batch 1, for ``batch`` images. Raises StepError where it cannot be.

    Constants that stand for one image in a concatenation are repeated.
    """
    result = deepcopy(model)
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
        raise StepError(refused(batch, str(error))) from error


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


def refused(batch: int, reason: str) -> str:
    """One sentence for a model that cannot take ``batch`` images, from what a runtime said."""
    return f"the model cannot take {batch} images at once: {reason.strip().splitlines()[-1]}"
