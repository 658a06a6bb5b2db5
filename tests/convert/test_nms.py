from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.tasks.detection.nms import nms

SQUARE = [0, 0, 10, 10]


def _nms(boxes: list[list[float]], scores: list[float], iou: float = 0.5, most: int = 100) -> list:
    return nms(np.array(boxes, np.float32), np.array(scores, np.float32), iou, most).tolist()


def test_the_better_of_two_equal_boxes_stays() -> None:
    assert _nms([SQUARE, SQUARE], [0.5, 0.6]) == [1]


def test_of_equal_scores_the_earlier_stays() -> None:
    assert _nms([SQUARE, SQUARE], [0.5, 0.5]) == [0]


def test_a_box_that_overlaps_exactly_as_much_as_allowed_stays() -> None:
    # Shared 50 of a union of 100 + 50 - 50.
    half = [0, 0, 10, 5]
    assert _nms([SQUARE, half], [0.9, 0.8], iou=0.5) == [0, 1]
    assert _nms([SQUARE, half], [0.9, 0.8], iou=0.499) == [0]


def test_a_suppressed_box_suppresses_none() -> None:
    # IoU of neighbours 9/11, of the outer two 8/12.
    chain = [[0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10]]
    assert _nms(chain, [0.9, 0.8, 0.7], iou=0.7) == [0, 2]


def test_only_as_many_as_asked_for_remain_the_best_first() -> None:
    apart = [[20 * i, 0, 20 * i + 10, 10] for i in range(5)]
    assert _nms(apart, [0.1, 0.5, 0.3, 0.4, 0.2], most=3) == [1, 3, 2]


def test_no_box_remains_of_none() -> None:
    assert _nms([], []) == []


def test_labels_keep_boxes_apart_however_far_they_reach() -> None:
    boxes = np.array([SQUARE, SQUARE, SQUARE, [-1e13, -1e13, 1e13, 1e13]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    assert nms(boxes, scores, 0.5, 10, np.array([0, 1, 0, 1])).tolist() == [0, 1, 3]


@pytest.mark.parametrize("empty", [[5, 5, 5, 5], [9, 9, 1, 1], [9, 0, 1, 10]])
def test_an_empty_box_neither_suppresses_nor_is_suppressed(empty: list[float]) -> None:
    assert _nms([SQUARE, empty, empty], [0.9, 0.8, 0.7], iou=0.01) == [0, 1, 2]


def _slow(boxes: list[tuple[int, ...]], scores: list[float], iou: float, labels: list[int]) -> list:
    """By definition, one pair at a time."""

    def overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        if width <= 0 or height <= 0:
            return 0.0
        areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
        return width * height / (areas - width * height)

    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(labels[i] != labels[k] or overlap(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


side = st.integers(1, 12)
box = st.tuples(st.integers(0, 20), st.integers(0, 20), side, side).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
entry = st.tuples(box, st.integers(0, 8).map(lambda s: s / 8), st.integers(0, 2))


@given(st.lists(entry, max_size=40), st.sampled_from([0.0, 0.25, 0.5, 0.65, 1.0]))
@settings(deadline=None, max_examples=150)
def test_agrees_with_the_definition(
    entries: list[tuple[tuple[int, ...], float, int]], iou: float
) -> None:
    boxes, scores, labels = ([e[i] for e in entries] for i in range(3))
    array = np.array(boxes, np.float32).reshape(-1, 4)
    found = nms(array, np.array(scores, np.float32), iou, 1000, np.array(labels, np.int64))
    assert found.tolist() == _slow(boxes, scores, iou, labels)


@given(st.lists(entry, max_size=30), st.sampled_from([0.25, 0.5, 0.65]))
@settings(deadline=None, max_examples=80)
def test_labels_do_what_moving_each_class_away_does(
    entries: list[tuple[tuple[int, ...], float, int]], iou: float
) -> None:
    # YOLOv5 moves the boxes of class i by 7680 * i, YOLOv6 by 4096 * i, and compares all.
    boxes, scores, labels = (np.array([e[i] for e in entries], np.float32) for i in range(3))
    boxes = boxes.reshape(-1, 4)
    apart = nms(boxes, scores, iou, 20, labels.astype(np.int64)).tolist()
    for offset in (4096, 7680):
        assert nms(boxes + labels[:, None] * np.float32(offset), scores, iou, 20).tolist() == apart
