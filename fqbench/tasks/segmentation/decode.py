"""From one score a class and place, or a class a place, to the class of each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import DecodeFunction, Decoder, DecoderSettings, Outputs, Shape, Size
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.segmentation.disagreement import COMPARISON
from fqbench.tasks.shapes import (
    FREE,
    finite,
    is_grid,
    of_places,
    unexpected_outputs,
    unexpected_shapes,
)
from fqbench.vision.geometry import Geometry
from fqbench.vision.sampling import matrix, sample

LAYOUT = "one output [1, classes, h, w] of scores, or [1, h, w] of classes"


class Semantic(DecoderSettings):
    """Scores of each class at places of any stride, or the classes themselves."""

    kind: Literal["semantic"]


def _decoder(settings: Semantic, size: Size) -> DecodeFunction:
    return partial(_read, size)


def _read(size: Size, outputs: Outputs, geometry: Geometry) -> ClassMap:
    """Scores are interpolated at each pixel of the image, as in the evaluation of most networks,
    and the greatest is taken there. Classes are taken from the nearest place."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    places = (shape[-2], shape[-1]) if len(shape) > 1 else (0, 0)
    if len(shape) not in (3, 4) or shape[0] != 1 or not is_grid(size, places):
        raise unexpected_outputs(outputs, LAYOUT)
    down, across = geometry.places(size, places)
    if len(shape) == 3 or shape[1] == 1:
        whole = np.rint(finite(outputs[0])).reshape(places).clip(0).astype(np.uint16)
        return ClassMap(whole[np.ix_(_nearest(down, places[0]), _nearest(across, places[1]))])
    scores = finite(outputs[0][0])
    rows, columns = matrix(down, places[0]), matrix(across, places[1])
    # In parts of the image: of a large one, scores of all classes would fill the memory.
    step = max(1, 2**24 // (len(scores) * len(across)))
    parts = [
        sample(scores, rows[start : start + step], columns).argmax(axis=0)
        for start in range(0, len(down), step)
    ]
    return ClassMap(np.concatenate(parts).astype(np.uint16))


def _nearest(indices: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    return np.asarray(np.clip(np.floor(indices + 0.5), 0, count - 1), np.intp)


def _classes(settings: Semantic, size: Size, outputs: Sequence[Shape]) -> int | None:
    shape = outputs[0] if len(outputs) == 1 else ()
    free = FREE in shape[-2:]
    if len(shape) not in (3, 4) or shape[0] not in (FREE, 1):
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    if not free and not is_grid(size, shape[-2:]):
        raise unexpected_shapes(settings.kind, outputs, LAYOUT)
    return shape[1] if len(shape) == 4 and shape[1] > 1 else None


SEMANTIC = Decoder(
    settings=Semantic,
    function=_decoder,
    imports=None,
    classes_of=_classes,
    recognizes=of_places,
    inputs=frozenset(),
    with_nms=None,
    completed=None,
    comparison=COMPARISON,
    rows=None,
)
