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
    shapes = [
        [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in weights
    ]
    return [
        [
            (random.normal(0, spread, shape) if len(shape) == 4 else np.ones(shape)).astype(
                np.float32
            )
            for shape in shapes
        ]
        for spread in SPREADS
    ]
