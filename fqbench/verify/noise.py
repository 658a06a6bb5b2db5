"""Inputs for a model that no image is known of."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

SPREADS = (1.0, 4.0)
"""Standard deviations: of values as images have them, and of some beyond usual bounds (6)."""


def noise(model: onnx.ModelProto) -> list[list[NDArray[Any]]]:
    """For each of ``SPREADS``, tensors for the inputs of ``model``, whose shapes are fixed.

    Normal noise for images [n, c, h, w], ones for what goes with them, such as their scale.
    """
    random = np.random.default_rng(0)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    return [[_tensor(value, spread, random) for value in inputs] for spread in SPREADS]


def _tensor(value: onnx.ValueInfoProto, spread: float, random: np.random.Generator) -> NDArray[Any]:
    described = value.type.tensor_type
    shape = [max(dim.dim_value, 1) for dim in described.shape.dim]
    values = random.normal(0, spread, shape) if len(shape) == 4 else np.ones(shape)
    return values.astype(onnx.helper.tensor_dtype_to_np_dtype(described.elem_type))
