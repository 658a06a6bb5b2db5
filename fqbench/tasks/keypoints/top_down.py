"""Keypoints of the one person in the input: heat maps, or a score for each column and row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.disagreement import COMPARISON
from fqbench.tasks.record import DecodeFunction, Decoder, DecoderSettings, Outputs, Shape, Size
from fqbench.tasks.shapes import (
    FREE,
    finite,
    is_grid,
    of_places,
    unexpected_outputs,
    unexpected_shapes,
)
from fqbench.vision.geometry import Geometry

MAPS = "one output [1, keypoints, h, w] of heat maps"
LINES = "two outputs [1, keypoints, w] and [1, keypoints, h], scores of columns and of rows"

SURE = 0.2
"""Keypoints above this make the score of a person (Sun et al., HRNet, 2019)."""

QUARTER = 0.25
"""Of a place of a heat map: as far the maximum is moved to its greater neighbour, along each axis
(Newell et al., "Stacked Hourglass Networks", 2016)."""


class Heatmaps(DecoderSettings):
    """A heat map for each keypoint; its maximum, a quarter of a place towards its neighbour."""

    kind: Literal["heatmaps"]


class SimCC(DecoderSettings):
    """Scores of parts of columns and of rows for each keypoint, the maximum of both (RTMPose)."""

    kind: Literal["simcc"]


def _heatmaps(settings: Heatmaps, size: Size) -> DecodeFunction:
    return partial(_read_maps, size)


def _simcc(settings: SimCC, size: Size) -> DecodeFunction:
    return partial(_read_lines, size)


def _read_maps(size: Size, outputs: Outputs, geometry: Geometry) -> Poses:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 4 or shape[0] != 1 or not is_grid(size, shape[2:]):
        raise unexpected_outputs(outputs, MAPS)
    maps = finite(outputs[0][0])
    flat = maps.reshape(len(maps), -1)
    best = flat.argmax(axis=1)
    y, x = np.divmod(best, maps.shape[2])
    places = np.stack([_shifted(maps, x, y, 1), _shifted(maps, x, y, 0)], axis=1)
    stride = np.array([size[1] / maps.shape[2], size[0] / maps.shape[1]])
    return _pose(places * stride, flat[np.arange(len(flat)), best], geometry)


def _shifted(
    maps: NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp], axis: int
) -> NDArray[np.float64]:
    """The column (``axis`` 1) or row (0) of each maximum, moved to its greater neighbour.

    Not at the border, where one is missing.
    """
    place, count = (x, maps.shape[2]) if axis else (y, maps.shape[1])
    inner = (place > 0) & (place < count - 1)
    moved = place.astype(np.float64)
    points = np.flatnonzero(inner)
    step = (0, 1) if axis else (1, 0)
    after = maps[points, y[points] + step[0], x[points] + step[1]]
    before = maps[points, y[points] - step[0], x[points] - step[1]]
    moved[points] += np.sign(after - before) * QUARTER
    return moved


def _read_lines(size: Size, outputs: Outputs, geometry: Geometry) -> Poses:
    if not _is_pair(size, [output.shape for output in outputs]):
        raise unexpected_outputs(outputs, LINES)
    across, down = finite(outputs[0][0]), finite(outputs[1][0])
    # Parts of a pixel are as many for both.
    parts = across.shape[1] / size[1]
    places = np.stack([across.argmax(axis=1), down.argmax(axis=1)], axis=1) / parts
    return _pose(places, np.minimum(across.max(axis=1), down.max(axis=1)), geometry)


def _pose(places: NDArray[np.float64], scores: NDArray[np.float32], geometry: Geometry) -> Poses:
    """The person of ``places`` [keypoints, 2], indices x, y of the input's pixels."""
    (scale_y, scale_x), (y, x) = geometry.scale, geometry.offset
    found = (places + 0.5 - (x, y)) / (scale_x, scale_y) - 0.5
    sure = scores[scores > SURE]
    score = float(sure.mean()) if sure.size else 0.0
    keypoints = np.concatenate([found, scores[:, None]], axis=1).astype(np.float32)
    return Poses(keypoints[None], np.array([score], np.float32))


def _is_pair(size: Size, outputs: Sequence[Shape]) -> bool:
    """Of columns and rows, of which a pixel has as many parts, one or more."""
    if len(outputs) != 2 or any(len(shape) != 3 for shape in outputs):
        return False
    across, down = outputs
    same = across[1] == down[1] and across[2] * size[0] == down[2] * size[1]
    return same and across[2] >= size[1]


def _map_classes(settings: Heatmaps, size: Size, outputs: Sequence[Shape]) -> int | None:
    """A keypoint is no class: annotations say how many there are where they are scored."""
    shape = outputs[0] if len(outputs) == 1 else ()
    free = FREE in shape[2:]
    if len(shape) != 4 or shape[0] not in (FREE, 1) or not (free or is_grid(size, shape[2:])):
        raise unexpected_shapes(settings.kind, outputs, MAPS)
    return None


def _line_classes(settings: SimCC, size: Size, outputs: Sequence[Shape]) -> int | None:
    if not _is_pair(size, outputs):
        raise unexpected_shapes(settings.kind, outputs, LINES)
    return None


HEATMAPS = Decoder(
    settings=Heatmaps,
    function=_heatmaps,
    imports=None,
    classes_of=_map_classes,
    recognizes=of_places,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
SIMCC = Decoder(
    settings=SimCC,
    function=_simcc,
    imports=None,
    classes_of=_line_classes,
    recognizes=_is_pair,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
