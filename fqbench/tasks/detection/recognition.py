"""Detectors, told apart by the shapes of their outputs and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.spec.preprocessing import Letterbox, Preprocess, Stretch
from fqbench.tasks.detection.layouts import (
    LARGEST_SCORE,
    is_best_rows,
    is_by_columns,
    is_by_queries,
    is_by_rows,
    is_by_rows_or_pair,
    is_labels_boxes_scores,
)
from fqbench.tasks.detection.settings import (
    Detr,
    NanoDet,
    PPYoloe,
    RtDetr,
    YoloV5,
    YoloV8,
    YoloV10,
    YoloX,
)
from fqbench.tasks.recognition import ULTRALYTICS, Guess, Recognition, Seen
from fqbench.tasks.record import Answers, Outputs, Size
from fqbench.vision.normalization import IMAGENET, PIXELS, UNIT, usual

USUAL_SIZE = (640, 640)
SPREAD = 0.5
"""Centers of boxes in pixels lie all over the input: at least over this part of its width."""

UPRIGHT = 0.98
STRIDES = ((8, 16, 32), (8, 16, 32, 64))
BINS = (8, 17, 16)
"""Of a distance: of NanoDet and PicoDet, of GFL."""


def _guesses(seen: Seen) -> Sequence[Guess]:
    if seen.exported_task not in (None, "detect"):
        return ()
    looks = (_columns, _rows, _best_rows, _queries, _triple, _pair, _distances)
    return tuple(chain.from_iterable(look(seen) for look in looks))


def _columns(seen: Seen) -> Iterator[Guess]:
    if not is_by_columns(seen.size, seen.shapes) or not _are_scores(seen.outputs[0][0][0, 4:]):
        return
    count = seen.shapes[0]
    why = f"{count[2]} columns of a box and {count[1] - 4} scores of 0 to 1"
    yield _of_yolo(seen, YoloV8(kind="yolov8"), why)


def _of_yolo(seen: Seen, decode: YoloV8 | YoloV10, why: str) -> Guess:
    ways = (usual(letterbox(seen), UNIT),)
    if seen.exported_task is None:
        return Guess(decode, "likely", why, ways)
    return Guess(decode, "sure", f"the file says task {seen.exported_task!r}", ways, ULTRALYTICS)


def _rows(seen: Seen) -> Iterator[Guess]:
    """YOLOv5's and YOLOX's rows have the same shape; their boxes tell them apart."""
    if not is_by_rows(seen.size, seen.shapes):
        return
    rows = seen.outputs[0][0][0]
    found = f"{len(rows)} rows of a box, a score and {rows.shape[1] - 5} further ones"
    if not _are_scores(rows[:, 4:]):
        return
    yolov5 = (usual(letterbox(seen), UNIT), *_of_yolox(seen), usual(_stretch(seen), UNIT))
    yolox = tuple(YoloX(kind="yolox", strides=each) for each in _fitting(seen.size, len(rows)))
    if _spread(rows, seen.size):
        if float((rows[:, 2:4] >= rows[:, :2]).all(axis=1).mean()) > UPRIGHT:
            why = f"{len(rows)} rows of two corners and {rows.shape[1] - 4} scores"
            yield Guess(PPYoloe(kind="ppyoloe"), "likely", why, _of_paddle(seen))
        yield Guess(YoloV5(kind="yolov5"), "likely", f"{found}, boxes in pixels", yolov5)
        yield from (Guess(each, "guess", found, _of_yolox(seen)) for each in yolox)
        return
    for each in yolox:
        yield Guess(each, "likely", f"{found}, boxes in cells of grids", _of_yolox(seen))
    yield Guess(YoloV5(kind="yolov5"), "guess", found, yolov5)


def _of_yolox(seen: Seen) -> tuple[Preprocess, ...]:
    return (usual(letterbox(seen, align="top_left"), PIXELS, "bgr"),)


def _of_paddle(seen: Seen) -> tuple[Preprocess, ...]:
    resize = _stretch(seen).model_copy(update={"interpolation": "cubic"})
    return (usual(resize, IMAGENET), usual(resize, UNIT))


def _best_rows(seen: Seen) -> Iterator[Guess]:
    if not is_best_rows(seen.size, seen.shapes):
        return
    rows = seen.outputs[0][0][0]
    if _are_scores(rows[:, 4]) and np.array_equal(rows[:, 5], np.rint(rows[:, 5])):
        why = f"{len(rows)} rows of two corners, a score and a whole number"
        yield _of_yolo(seen, YoloV10(kind="yolov10"), why)


def _queries(seen: Seen) -> Iterator[Guess]:
    if not is_by_queries(seen.size, seen.shapes):
        return
    boxes, logits = sorted((each[0] for each in seen.outputs[0]), key=lambda o: o.shape[1] != 4)
    if boxes.min() < -0.1 or boxes.max() > 2:
        return
    why = f"{len(boxes)} boxes as parts of the input, with {logits.shape[1]} logits each"
    none_wins = float((logits.argmax(axis=1) == logits.shape[1] - 1).mean()) > 0.5
    first = Detr(kind="detr", activation="softmax" if none_wins else "sigmoid")
    other = Detr(kind="detr", activation="sigmoid" if none_wins else "softmax")
    ways = (usual(_stretch(seen), IMAGENET), usual(_stretch(seen), UNIT))
    yield Guess(first, "likely", why, ways if none_wins else ways[::-1])
    yield Guess(other, "guess", why, ways)


def _triple(seen: Seen) -> Iterator[Guess]:
    if is_labels_boxes_scores(seen.size, seen.shapes):
        boxes = next(each for each in seen.outputs[0] if each.ndim == 3)
        why = f"{boxes.shape[1]} boxes with a label and a score each"
        ways = (usual(_stretch(seen), UNIT), usual(_stretch(seen), IMAGENET))
        yield Guess(RtDetr(kind="rtdetr"), "likely", why, ways)


def _pair(seen: Seen) -> Iterator[Guess]:
    """PP-YOLOE's, before non-maximum suppression or after it."""
    if len(seen.shapes) != 2:
        return
    first, second = seen.outputs[0]
    before = is_by_rows_or_pair(seen.size, seen.shapes) and _are_scores(second)
    after = first.ndim == 2 and first.shape[1] == 6 and second.size == 1
    if before or after:
        form = "boxes and scores" if before else "rows of label, score and corners, and a count"
        yield Guess(PPYoloe(kind="ppyoloe"), "likely", form, _of_paddle(seen))


def _distances(seen: Seen) -> Iterator[Guess]:
    if len(seen.shapes) != 1 or len(seen.shapes[0]) != 3:
        return
    rows = seen.outputs[0][0][0]
    for strides in ((8, 16, 32, 64), (8, 16, 32)):
        if len(rows) != sum(_cells(seen.size, stride, up=True) for stride in strides):
            continue
        for bins in BINS:
            classes = rows.shape[1] - 4 * bins
            if classes < 1 or not _are_scores(rows[:, :classes]):
                continue
            if _are_scores(rows[:, classes:]):
                continue
            why = f"{len(rows)} rows of {classes} scores and four distances of {bins} logits each"
            decode = NanoDet(kind="nanodet", strides=strides, bins=bins)
            ways = (usual(_stretch(seen), IMAGENET, "bgr"), usual(_stretch(seen), IMAGENET))
            yield Guess(decode, "likely", why, ways)


def letterbox(seen: Seen, align: Any = "center") -> Letterbox:
    """As YOLO's are resized."""
    return Letterbox(kind="letterbox", size=input_size(seen), align=align)


def input_size(seen: Seen) -> Size:
    """The file's, or the usual one where it leaves that open."""
    return seen.size if seen.fixed else USUAL_SIZE


def _stretch(seen: Seen) -> Stretch:
    return Stretch(kind="stretch", size=input_size(seen))


def _fitting(size: Size, rows: int) -> list[tuple[int, ...]]:
    """Strides whose grids have as many cells as there are rows."""
    return [each for each in STRIDES if sum(_cells(size, stride) for stride in each) == rows]


def _cells(size: Size, stride: int, *, up: bool = False) -> int:
    return int(np.prod([-(-side // stride) if up else side // stride for side in size]))


def _spread(rows: NDArray[Any], size: Size) -> bool:
    """Whether boxes are in pixels: their centers lie all over the input."""
    span = rows[:, :2].max(axis=0) - rows[:, :2].min(axis=0)
    return bool((span > SPREAD * np.array([size[1], size[0]])).all())


def _are_scores(values: NDArray[Any]) -> bool:
    finite = values.size > 0 and np.isfinite(values).all()
    return bool(finite and values.max() <= LARGEST_SCORE and values.min() >= 1 - LARGEST_SCORE)


def best_scores(outputs: Sequence[Outputs], answers: Answers) -> float:
    """The mean of each image's highest score, 0 to 1. Of answers with ``scores``.

    Not of all of them: an input that is scaled far too large makes a detector find something
    everywhere, with scores that are hardly higher than where it is right.
    """
    best = [float(each.scores.max()) if len(each.scores) else 0.0 for each in answers]
    return float(np.mean(best)) if best else 0.0


RECOGNITION = Recognition(_guesses, best_scores)
