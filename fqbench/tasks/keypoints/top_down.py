"""Keypoints of the one person in the input: heat maps, or a score for each column and row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
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


Values = NDArray[np.float32]
Step = Callable[[Values, Values, Values], Values]
"""By how much a maximum moves, from the values before it, at it and after it."""


class Heatmaps(DecoderSettings):
    """A heat map for each keypoint; its maximum, moved towards its greater neighbour.

    ``refine``: by a quarter of a place, or to the top of the parabola through it and both.
    """

    kind: Literal["heatmaps"]
    refine: Literal["quarter", "parabola"] = "quarter"


class SimCC(DecoderSettings):
    """Scores of parts of columns and of rows for each keypoint, the maximum of both (RTMPose)."""

    kind: Literal["simcc"]


def _heatmaps(settings: Heatmaps, size: Size) -> DecodeFunction:
    return partial(_read_maps, settings, size)


def _simcc(settings: SimCC, size: Size) -> DecodeFunction:
    return partial(_read_lines, size)


def _read_maps(settings: Heatmaps, size: Size, outputs: Outputs, geometry: Geometry) -> Poses:
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 4 or shape[0] != 1 or not is_grid(size, shape[2:]):
        raise unexpected_outputs(outputs, MAPS)
    maps = finite(outputs[0][0])
    flat = maps.reshape(len(maps), -1)
    best = flat.argmax(axis=1)
    y, x = np.divmod(best, maps.shape[2])
    step = _to_parabola if settings.refine == "parabola" else _by_quarter
    places = np.stack([_shifted(maps, x, y, axis, step) for axis in (1, 0)], axis=1)
    stride = np.array([size[1] / maps.shape[2], size[0] / maps.shape[1]])
    return _pose(places * stride, flat[np.arange(len(flat)), best], geometry)


def _shifted(
    maps: Values, x: NDArray[np.intp], y: NDArray[np.intp], axis: int, step: Step
) -> NDArray[np.float64]:
    """The column (``axis`` 1) or row (0) of each maximum, moved by ``step``.

    Not at the border, where a neighbour is missing.
    """
    place, count = (x, maps.shape[2]) if axis else (y, maps.shape[1])
    inner = (place > 0) & (place < count - 1)
    moved = place.astype(np.float64)
    points = np.flatnonzero(inner)
    down, across = (0, 1) if axis else (1, 0)
    before, highest, after = (
        maps[points, y[points] + sign * down, x[points] + sign * across] for sign in (-1, 0, 1)
    )
    moved[points] += step(before, highest, after)
    return moved


def _by_quarter(before: Values, highest: Values, after: Values) -> Values:
    return np.asarray(np.sign(after - before) * np.float32(QUARTER))


def _to_parabola(before: Values, highest: Values, after: Values) -> Values:
    """Up to half a place; none where all three are alike."""
    bend = 2 * highest - after - before
    return np.divide(after - before, 2 * bend, out=np.zeros_like(bend), where=bend > 0)


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


def _continuous(settings: Heatmaps) -> DecoderSettings:
    """Where both neighbours are almost alike, any rounding moves a maximum by half a place.

    Of as many it is to the better as to the worse: in both, the keypoint lies between. As the
    error of the heat maps falls, such moves become fewer by its root only.
    """
    return settings.model_copy(update={"refine": "parabola"})


HEATMAPS = Decoder(
    settings=Heatmaps,
    function=_heatmaps,
    imports=None,
    classes_of=_map_classes,
    recognizes=of_places,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=replace(COMPARISON, settings=_continuous),
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
