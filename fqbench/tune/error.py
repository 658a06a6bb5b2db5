"""How far the raw outputs of a quantized graph are from FP32's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.graph.graph import Graph

Outputs = Sequence[NDArray[np.float32]]
"""The raw outputs for one image."""


def raw_outputs(graph: Graph) -> tuple[str, ...]:
    """The tensors that the last layers write, before anything decodes them.

    After decoding, coordinates of a fixed grid hide every error. Where no last layer writes
    the model's result directly, these are the model's outputs.
    """
    heads = [node.output[0] for node in graph.layers() if graph.is_linear_head(node)]
    return tuple(heads or graph.outputs)


def relative_error(reference: Sequence[Outputs], outputs: Sequence[Outputs]) -> float:
    """Squared difference over squared deviation of ``reference``, the mean over the outputs.

    The deviation is that from each channel's mean over all images and positions, so that what is
    always the same counts for nothing. 0 is equal, 1 as far off as predicting those means.
    """
    errors = []
    for wanted, found in zip(_concatenated(reference), _concatenated(outputs), strict=True):
        axes = (0, *range(2, wanted.ndim))
        deviation = wanted - wanted.mean(axis=axes, keepdims=True)
        spread = float(np.square(deviation, dtype=np.float64).sum())
        difference = float(np.square(found - wanted, dtype=np.float64).sum())
        if spread > 0.0:
            errors.append(difference / spread)
    return float(np.mean(errors)) if errors else 0.0


def _concatenated(outputs: Sequence[Outputs]) -> list[NDArray[np.float32]]:
    """Each output of all images as one array, images first."""
    return [np.concatenate(list(images)) for images in zip(*outputs, strict=True)]
