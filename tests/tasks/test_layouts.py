"""Which decoder reads which outputs: by shapes before anything runs, then by a look at values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fqbench.errors import StepError, UsageError
from fqbench.spec import ModelSpec
from fqbench.spec.check import compare
from fqbench.tasks.decoding import decoder
from fqbench.tasks.registry import decoders
from fqbench.vision.geometry import Geometry

SIZE = (640, 640)
SAME = Geometry(SIZE, (1.0, 1.0), (0.0, 0.0))

E2E = [[1, 300, 6]]
COLUMNS = [[1, 84, 8400]]
POSE = [[1, 56, 8400]]
ROWS = [[1, 25200, 85]]
ONE_CLASS = [[1, 25200, 6]]
QUERIES = [[1, 300, 80], [1, 300, 4]]
TRIPLE = [[1, 300], [1, 300, 4], [1, 300]]
PLACES = [[1, 21, 160, 160]]
SEG = [[1, 116, 8400], [1, 32, 160, 160]]
PAIR = [[1, 8400, 4], [1, 80, 8400]]

READERS = [
    (E2E, {"yolov10"}),
    (COLUMNS, {"yolov8"}),
    (POSE, {"yolov8", "yolo_pose"}),
    (ROWS, {"yolov5", "yolox", "ppyoloe"}),
    (ONE_CLASS, {"yolov5", "yolox", "ppyoloe"}),
    (QUERIES, {"detr"}),
    (TRIPLE, {"rtdetr"}),
    (PLACES, {"semantic", "heatmaps"}),
    (SEG, {"yolo_seg"}),
    (PAIR, {"ppyoloe"}),
]


@pytest.mark.parametrize(
    ("outputs", "kinds"), READERS, ids=lambda value: "-".join(sorted(map(str, value)))
)
def test_shapes_tell_who_reads_them(outputs: list[list[int]], kinds: set[str]) -> None:
    found = {d.kind for d in decoders().values() if d.recognizes and d.recognizes(SIZE, outputs)}
    assert found == kinds


def spec(kind: str, **settings: Any) -> ModelSpec:
    task = next(
        name
        for name, decoders_ in {
            "classification": ["logits"],
            "detection": ["yolov5", "yolox", "ppyoloe", "yolov8", "yolov10", "detr", "rtdetr"],
            "keypoints": ["yolo_pose", "heatmaps"],
            "segmentation": ["semantic"],
        }.items()
        if kind in decoders_
    )
    return ModelSpec.model_validate(
        {
            "name": "net",
            "task": task,
            "model": Path("net.onnx"),
            "preprocess": {"resize": {"kind": "stretch", "size": SIZE}},
            "decode": {"kind": kind, **settings},
            "dataset": {"kind": "folder", "images": "i"},
            "calibration": {"images": "c"},
        }
    )


def told(kind: str, outputs: list[list[int]]) -> str:
    named = {f"out{number}": shape for number, shape in enumerate(outputs)}
    with pytest.raises(UsageError) as caught:
        compare(spec(kind), {"x": [1, 3, *SIZE]}, named)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "outputs", "reader"),
    [
        ("yolov5", E2E, "'yolov10' reads"),
        ("ppyoloe", E2E, "'yolov10' reads"),
        ("yolov5", COLUMNS, "'yolov8' reads"),
        ("ppyoloe", COLUMNS, "'yolov8' reads"),
        ("yolov5", POSE, "'yolov8' or 'yolo_pose' reads"),
        ("ppyoloe", QUERIES, "'detr' reads"),
        ("yolov8", TRIPLE, "'rtdetr' reads"),
        ("logits", PLACES, "'heatmaps' or 'semantic' reads"),
        ("yolov8", SEG, "'yolo_seg' reads"),
        ("yolov8", ROWS, "'yolov5', 'yolox' or 'ppyoloe' reads"),
        ("semantic", COLUMNS, "'yolov8' reads"),
    ],
)
def test_a_wrong_decoder_is_refused_and_the_one_that_fits_named(
    kind: str, outputs: list[list[int]], reader: str
) -> None:
    message = told(kind, outputs)
    assert message.startswith("net.onnx: the outputs have shapes [1, ")
    assert message.endswith(f": decode.kind {reader} such outputs")


@pytest.mark.parametrize("kind", ["yolov5", "yolox", "ppyoloe"])
def test_columns_of_boxes_are_no_classes_whatever_the_size_of_the_input(kind: str) -> None:
    known, settings = decoders()[kind], spec(kind).decode
    with pytest.raises(UsageError) as caught:
        known.classes_of(settings, (32, 32), POSE)
    assert str(caught.value) == (
        "the outputs have shapes [1, 56, 8400], one box a column as 'yolov8' and 'yolo_pose' read"
        f" them, decode.kind '{kind}' needs one a row"
    )


@pytest.mark.parametrize(
    ("kind", "outputs", "classes"),
    [
        ("yolov8", COLUMNS, 80),
        ("yolov5", ROWS, 80),
        ("yolov10", E2E, None),
        ("detr", QUERIES, 80),
        ("detr", QUERIES[::-1], 80),
        ("rtdetr", TRIPLE, None),
        ("rtdetr", [[-1, 300], [-1, 300, 4], [-1, 300]], None),
        ("semantic", PLACES, 21),
        ("semantic", [[1, 640, 640]], None),
        ("yolo_pose", POSE, 1),
        ("yolov8", [[1, 84, -1]], 80),
        ("ppyoloe", PAIR, 80),
    ],
)
def test_the_right_decoder_reads_how_many_classes_there_are(
    kind: str, outputs: list[list[int]], classes: int | None
) -> None:
    named = {f"out{number}": shape for number, shape in enumerate(outputs)}
    assert compare(spec(kind), {"x": [1, 3, *SIZE]}, named).classes == classes


def run(kind: str, *outputs: np.ndarray, **settings: Any) -> Any:
    return decoder(spec(kind, **settings).decode, SIZE)(outputs, SAME)


def test_keypoints_are_not_taken_for_scores() -> None:
    columns = np.zeros((1, 56, 8400), np.float32)
    columns[0, 5:] = 320
    with pytest.raises(StepError, match=r"goes from 0 to 320: .*'yolo_pose' or 'yolo_seg' may be"):
        run("yolov8", columns)


def test_corners_with_labels_are_not_taken_for_objectness() -> None:
    rows = np.tile(np.array([10, 10, 50, 50, 0.9, 17], np.float32), (1, 300, 1))
    with pytest.raises(StepError, match=r"goes from 0.9 to 17: .*'yolov8' or 'yolov10' may be"):
        run("yolov5", rows)


def test_centres_are_not_taken_for_corners() -> None:
    rows = np.tile(np.array([320, 320, 50, 50, 0.9, 0.8], np.float32), (1, 300, 1))
    with pytest.raises(StepError, match=r"only 0 of 300 rows hold x1, y1, x2, y2: .*'yolov5'"):
        run("yolov10", rows)


def test_pixels_are_not_taken_for_parts_of_the_input() -> None:
    boxes = np.full((1, 300, 4), 320, np.float32)
    with pytest.raises(StepError, match=r"boxes go from 320 to 320, expected parts of the input"):
        run("detr", boxes, np.zeros((1, 300, 80), np.float32))


def test_logits_are_not_taken_for_scores() -> None:
    with pytest.raises(StepError, match="or lack a sigmoid"):
        run("yolov8", np.full((1, 84, 8400), -5, np.float32))
