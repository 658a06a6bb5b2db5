"""How far the raw outputs of a quantized graph are from FP32's, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fqbench.graph.graph import Graph

Outputs = Sequence[NDArray[np.float32]]
"""The raw outputs for one image."""

LOSS = 0.3
"""Part of the accuracy that a relative squared error of one costs, for small errors. Measured on
YOLOX-nano with more and more layers in float (an error of 0.24, 0.10, 0.08, 0.04 cost 0.05, 0.03,
0.02, 0.01 of the mAP); YOLOv5s and EfficientNet-lite0 cost less."""

TYPICAL = {"mAP": 50.0, "top1": 100.0}
"""Points that a good model reaches: where images carry no labels, its own are not known."""


def raw_outputs(graph: Graph) -> tuple[str, ...]:
    """The tensors that the last layers write, before anything decodes them.

    Behind a decoder, coordinates of a fixed grid hide every error. Where no last layer writes
    the model's result directly, these are the model's outputs.
    """
    heads = [node.output[0] for node in graph.layers() if graph.is_linear_head(node)]
    return tuple(heads or graph.outputs)


def relative_error(reference: Sequence[Outputs], outputs: Sequence[Outputs]) -> float:
    """Squared difference over squared deviation of ``reference``, the mean over the outputs.

    The deviation is that from each channel's mean over all images and places, so that what is
    always the same counts for nothing. 0 is equal, 1 as wrong as knowing those means only.
    """
    errors = []
    for wanted, found in zip(_together(reference), _together(outputs), strict=True):
        axes = (0, *range(2, wanted.ndim))
        deviation = wanted - wanted.mean(axis=axes, keepdims=True)
        spread = float(np.square(deviation, dtype=np.float64).sum())
        difference = float(np.square(found - wanted, dtype=np.float64).sum())
        if spread > 0.0:
            errors.append(difference / spread)
    return float(np.mean(errors)) if errors else 0.0


def error_within(drop: float, metric: str) -> float:
    """The relative squared error of the raw outputs that costs about ``drop`` points.

    A rule of thumb: it chooses layers, and never stands for the measured drop.
    """
    return drop / (LOSS * TYPICAL[metric])


def points_lost(error: float, metric: str) -> float:
    """About how many points a small relative squared error of the raw outputs costs."""
    return error * LOSS * TYPICAL[metric]


def _together(outputs: Sequence[Outputs]) -> list[NDArray[np.float32]]:
    """Each output of all images as one array, images first."""
    return [np.concatenate(list(images)) for images in zip(*outputs, strict=True)]
