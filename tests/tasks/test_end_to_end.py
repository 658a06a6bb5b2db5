"""Detectors without objectness, and those without non-maximum suppression, by literal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fqbench.errors import StepError
from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.settings import Detr, NanoDet, RtDetr, YoloV8, YoloV10
from fqbench.vision.geometry import Geometry

SIZE = (64, 128)
HALF = Geometry((100, 200), (0.5, 0.5), (10.0, 0.0))
"""An image of 100x200 at half its size, ten pixels below the top."""


def found(settings: Any, *outputs: np.ndarray) -> Detections:
    answer = decoder(settings, SIZE)(outputs, HALF)
    assert isinstance(answer, Detections)
    return answer


def floats(*rows: Any) -> np.ndarray:
    return np.array(rows, np.float32)


COLUMNS = floats([20, 20, 10, 20, 0.8, 0.6], [80, 20, 10, 10, 0.0, 0.9]).T[None]
COLUMNS = np.concatenate([COLUMNS, np.zeros((1, 6, 6), np.float32)], axis=2)


def test_yolov8_takes_every_class_of_a_place() -> None:
    answer = found(YoloV8(kind="yolov8"), COLUMNS)
    np.testing.assert_allclose(answer.scores, [0.9, 0.8, 0.6])
    assert answer.labels.tolist() == [1, 0, 1]
    # Centre (80, 20), 10x10 in the input; twice as large, ten rows higher in the image.
    assert answer.boxes.tolist() == [[150, 10, 170, 30], [30, 0, 50, 40], [30, 0, 50, 40]]


def test_yolov8_takes_the_best_class_where_told() -> None:
    assert found(YoloV8(kind="yolov8", multi_label=False), COLUMNS).labels.tolist() == [1, 0]


def test_yolov8_overlaps_by_its_own_default() -> None:
    columns = floats([50, 30, 20, 20, 0.9], [53, 30, 20, 20, 0.8]).T[None]
    columns = np.concatenate([columns, np.zeros((1, 5, 6), np.float32)], axis=2)
    # 17 of 23: 0.739.
    assert len(found(YoloV8(kind="yolov8"), columns).scores) == 1
    assert len(found(YoloV8(kind="yolov8", iou=0.75), columns).scores) == 2


ROWS = floats([10, 20, 30, 40, 0.3, 4], [0, 10, 50, 60, 0.9, 2], [0, 0, 0, 0, 0, 0])[None]


def test_end_to_end_rows_are_taken_as_they_are() -> None:
    answer = found(YoloV10(kind="yolov10"), ROWS)
    np.testing.assert_allclose(answer.scores, [0.9, 0.3])
    assert answer.labels.tolist() == [2, 4]
    assert answer.boxes.tolist() == [[0, 0, 100, 100], [20, 20, 60, 60]]


def test_end_to_end_rows_keep_the_best() -> None:
    assert found(YoloV10(kind="yolov10", max_boxes=1), ROWS).labels.tolist() == [2]
    assert found(YoloV10(kind="yolov10", score=0.5), ROWS).labels.tolist() == [2]


def queries(values: list[list[float]]) -> np.ndarray:
    """The first queries; the others, up to ten, say nothing."""
    rest = np.full((10 - len(values), len(values[0])), -20, np.float32)
    return np.concatenate([np.array(values, np.float32), rest])[None]


BOXES = queries([[0.5, 0.5, 0.25, 0.5], [0.25, 0.25, 0.5, 0.5]]).clip(0)


def test_detr_scores_every_class_of_a_query_by_a_sigmoid() -> None:
    logits = queries([[0.0, 2.0, -20.0], [-20.0, 1.0, -20.0]])
    for outputs in ((logits, BOXES), (BOXES, logits)):
        answer = found(Detr(kind="detr"), *outputs)
        np.testing.assert_allclose(answer.scores, [0.880797, 0.731059, 0.5], rtol=1e-5)
        assert answer.labels.tolist() == [1, 1, 0]
        # Centre (64, 32), 32x32 of 128x64 input pixels: x 48 to 80, y 16 to 48.
        assert answer.boxes[0].tolist() == [96, 12, 160, 76]
        assert answer.boxes[2].tolist() == [96, 12, 160, 76]


def test_detr_by_softmax_has_one_answer_a_query_and_a_last_class_that_is_none() -> None:
    logits = queries([[np.log(3.0), 0.0, 0.0], [0.0, 0.0, np.log(8.0)]])
    answer = found(Detr(kind="detr", activation="softmax", score=0.35), logits, BOXES)
    np.testing.assert_allclose(answer.scores, [0.6], rtol=1e-6)
    assert answer.labels.tolist() == [0]


TRIPLE = (
    np.array([[3, 1]]),
    floats([10, 20, 30, 40], [0, 10, 50, 60])[None],
    floats([0.4, 0.7]),
)


def test_rtdetr_boxes_are_in_pixels_of_the_image() -> None:
    answer = found(RtDetr(kind="rtdetr"), TRIPLE[0], TRIPLE[1], TRIPLE[2])
    assert answer.labels.tolist() == [1, 3]
    assert answer.boxes.tolist() == [[0, 10, 50, 60], [10, 20, 30, 40]]


def test_rtdetr_boxes_may_be_in_pixels_of_the_input() -> None:
    answer = found(RtDetr(kind="rtdetr", pixels="input"), *TRIPLE)
    assert answer.boxes.tolist() == [[0, 0, 100, 100], [20, 20, 60, 60]]


def test_rtdetr_outputs_may_come_in_any_order() -> None:
    labels, boxes, scores = TRIPLE
    answers = [
        found(RtDetr(kind="rtdetr"), *order)
        for order in ((labels, boxes, scores), (boxes, scores, labels), (scores, labels, boxes))
    ]
    assert [answer.labels.tolist() for answer in answers] == [[1, 3]] * 3
    floating = found(RtDetr(kind="rtdetr"), scores, boxes, labels.astype(np.float32))
    assert floating.labels.tolist() == [1, 3]


def distances() -> tuple[np.ndarray, np.ndarray]:
    """64x128 pixels at strides 32 and 64: 8 and 2 cells. Of cell 1 of the first, two of three
    bins of the left and the top are as likely, of the others the last."""
    scores, logits = np.zeros((1, 10, 2), np.float32), np.full((1, 10, 12), -50, np.float32)
    scores[0, 1] = [0.0, 0.75]
    logits[0, :, [0, 1, 3, 4, 8, 11]] = 50
    return scores, logits


NANODET = NanoDet(kind="nanodet", strides=(32, 64), bins=3)


def test_a_distance_is_the_mean_of_its_distribution() -> None:
    scores, logits = distances()
    answer = found(NANODET, np.concatenate([scores, logits], axis=2))
    assert answer.labels.tolist() == [1]
    # Corner (32, 0), half a cell left and up, two right and down; twice as large, ten rows higher.
    np.testing.assert_allclose(answer.boxes, [[32, 0, 192, 100]])


def test_a_distance_may_be_measured_from_the_middle_and_strides_come_by_themselves() -> None:
    scores, logits = distances()
    parts = [part for i in (slice(0, 8), slice(8, 10)) for part in (logits[:, i], scores[:, i])]
    settings = NANODET.model_copy(update={"center": 0.5})
    answer = found(settings, *parts)
    np.testing.assert_allclose(answer.boxes, [[64, 0, 200, 100]])


def test_distances_of_other_strides_are_told() -> None:
    scores, logits = distances()
    settings = NANODET.model_copy(update={"strides": (16, 32)})
    with pytest.raises(StepError, match=r"have 10 rows, expected 40 for decode.strides \[16, 32\]"):
        found(settings, np.concatenate([scores, logits], axis=2))


@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        (YoloV8(kind="yolov8"), [(1, 9, 8)]),
        (YoloV10(kind="yolov10"), [(1, 9, 7)]),
        (Detr(kind="detr"), [(1, 300, 4)]),
        (RtDetr(kind="rtdetr"), [(1, 3), (1, 3, 4), (1, 2)]),
        (NANODET, [(1, 10, 12)]),
        (NANODET, [(1, 8, 12), (1, 8, 2)]),
    ],
)
def test_a_wrong_shape_is_told(settings: Any, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(StepError, match=r"the model's outputs have the shapes \[1, "):
        found(settings, *(np.zeros(shape, np.float32) for shape in shapes))


@pytest.mark.parametrize(
    ("settings", "outputs"),
    [
        (YoloV8(kind="yolov8"), [COLUMNS]),
        (YoloV10(kind="yolov10"), [ROWS]),
        (Detr(kind="detr"), [BOXES, queries([[0.0, 1.0, 2.0]])]),
        (RtDetr(kind="rtdetr"), [TRIPLE[1], TRIPLE[0], TRIPLE[2]]),
    ],
)
def test_nan_is_an_error_wherever_it_stands(settings: Any, outputs: list[np.ndarray]) -> None:
    for broken in range(len(outputs)):
        copies = [output.astype(np.float32) for output in outputs]
        copies[broken].flat[-1] = np.nan
        with pytest.raises(StepError, match="the model's output holds NaN"):
            found(settings, *copies)
