"""Scores of single images, flips and shifts by each task's own measure, by literal numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fqbench.data import EvaluationSet, Sample
from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.examination import Comparison, OperatingPoint
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.runs import encode
from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.dataset import PersonSet
from fqbench.tasks.registry import tasks
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.segmentation.dataset import MappedSet
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.dataset import TranscriptSet


def compare(task: str, data: EvaluationSet | None, fp32: Any, int8: Any) -> Comparison:
    return tasks()[task].examination.compare(data, fp32, int8)


def says(task: str, answer: Any) -> str:
    return tasks()[task].examination.says(answer)


def scores(found: Comparison) -> list[list[float]]:
    assert found.fp32 is not None
    assert found.int8 is not None
    return [np.round(side, 4).tolist() for side in (found.fp32, found.int8)]


class TestClassification:
    DATA = EvaluationSet(tuple(Sample(i, Path(f"{i}.png"), i) for i in range(3)))
    FP32 = (TopClass(0, 0.9), TopClass(1, 0.85), TopClass(0, 0.4))
    INT8 = (TopClass(2, 0.6), TopClass(1, 0.45), TopClass(2, 0.7))

    def test_images_are_right_or_wrong(self) -> None:
        found = compare("classification", self.DATA, self.FP32, self.INT8)
        assert scores(found) == [[1, 1, 0], [0, 1, 1]]
        np.testing.assert_allclose(found.alike, [0.1, 0.6, 0.6])

    def test_points_and_shift(self) -> None:
        found = compare("classification", self.DATA, self.FP32, self.INT8)
        assert found.points == (
            OperatingPoint("top-1", None, 1, 2, 2, 1, 1),
            # FP32's class 0 is lost, and its class 1 with 0.45; both were right.
            OperatingPoint("probability 0.5", 0.5, 0, 2, 2, 2, 1),
        )
        assert found.shift is not None
        assert (found.shift.pairs, found.shift.worst, found.shift.image) == (1, (0.85, 0.45), 1)

    def test_without_probabilities_classes_only_are_compared(self) -> None:
        fp32 = [replace(answer, probability=math.nan) for answer in self.FP32]
        found = compare("classification", None, fp32, self.INT8)
        assert found.points == (OperatingPoint("top-1", None, 1, 2, 2, None, None),)
        assert (found.fp32, found.int8, found.shift) == (None, None, None)
        assert found.alike.tolist() == [0, 1, 0]

    def test_words(self) -> None:
        assert says("classification", TopClass(3, 0.125)) == "class 3, 0.12"
        assert says("classification", TopClass(3)) == "class 3"


def boxes(*found: tuple[list[float], float, int]) -> Detections:
    corners, sure, labels = zip(*found, strict=True) if found else ([], [], [])
    return Detections(
        np.array(corners, np.float32).reshape(-1, 4),
        np.array(sure, np.float32),
        np.array(labels, np.int64),
    )


LEFT, RIGHT, NEAR = [0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 8]


def annotated(folder: Path, **changes: Any) -> EvaluationSet:
    """Three images: one with two objects, one with a crowd, one with none."""
    content = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": 40, "width": 40} for i in (7, 8, 9)
        ],
        "categories": [{"id": 3}, {"id": 5}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 10, 10], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [20, 0, 10, 10], "iscrowd": 0},
            {"id": 3, "image_id": 8, "category_id": 3, "bbox": [0, 0, 40, 40], "iscrowd": 1},
            {"id": 4, "image_id": 8, "category_id": 3, "bbox": [20, 0, 10, 10], "iscrowd": 0},
        ],
    }
    for entry in content["annotations"]:
        left, top, width, height = entry["bbox"]
        entry["area"] = width * height
        entry["segmentation"] = [
            [left, top, left + width, top, left + width, top + height, left, top + height]
        ]
        entry.update(changes)
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    samples = tuple(Sample(i, folder / f"{i}.png") for i in (7, 8, 9))
    return EvaluationSet(samples, path, (3, 5), 2)


class TestDetection:
    FP32 = (
        boxes((LEFT, 0.85, 0), (RIGHT, 0.6, 1), (RIGHT, 0.04, 0)),
        boxes((RIGHT, 0.9, 0), ([0, 20, 10, 30], 0.8, 0)),
        boxes(),
    )
    INT8 = (
        # Its first box is as near as 0.8, and falls below 0.5; the second has another class.
        boxes((NEAR, 0.45, 0), (RIGHT, 0.6, 0)),
        boxes((RIGHT, 0.9, 0)),
        boxes((LEFT, 0.7, 1)),
    )

    def test_images_by_f1_at_the_threshold_that_is_best_for_fp32(self, tmp_path: Path) -> None:
        found = compare("detection", annotated(tmp_path), self.FP32, self.INT8)
        # All three objects are found from 0.6 on, what is in the crowd does not count.
        assert found.measured_at == "scores from 0.60 on"
        # INT8: 2 * 0 / (1 + 2); the crowd's image is right; a box where nothing is.
        assert scores(found) == [[1, 1, 1], [0, 1, 0]]
        assert found.alike[2] == 0.0
        assert 0 < found.alike[0] < found.alike[1] < 1

    def test_points_and_shift(self, tmp_path: Path) -> None:
        found = compare("detection", annotated(tmp_path), self.FP32, self.INT8)
        assert [replace(point, name="") for point in found.points] == [
            OperatingPoint("", 0.25, 2, 2, 2, 1, 0),
            OperatingPoint("", 0.5, 1, 3, 2, 2, 0),
            OperatingPoint("", pytest.approx(0.6), 1, 3, 2, 2, 0),
        ]
        assert found.points[2].name == "FP32's best F1, score 0.60"
        assert found.shift is not None
        assert found.shift.worst == pytest.approx((0.85, 0.45))
        assert (found.shift.pairs, found.shift.image) == (2, 0)

    def test_without_labels(self) -> None:
        found = compare("detection", None, self.FP32, self.INT8)
        assert (found.fp32, found.int8) == (None, None)
        assert [point.lost_right for point in found.points] == [None, None]

    def test_words(self) -> None:
        assert says("detection", self.FP32[0]) == (
            "2 objects: 1 of class 0, 1 of class 1; the surest 0.85"
        )
        assert says("detection", boxes()) == "nothing above 0.25"
        assert says("detection", boxes((LEFT, 0.2, 1))) == "nothing above 0.25"


def masked(*found: tuple[list[int], float, int]) -> Instances:
    drawn = []
    for (left, top, right, bottom), _, _ in found:
        mask = np.zeros((40, 40), np.bool_)
        mask[top:bottom, left:right] = True
        drawn.append(encode(mask))
    plain = boxes(*found)  # type: ignore[arg-type]
    return Instances(plain.boxes, plain.scores, plain.labels, tuple(drawn), (40, 40))


def test_masks(tmp_path: Path) -> None:
    fp32 = (masked((LEFT, 0.9, 0), (RIGHT, 0.8, 1)), masked((RIGHT, 0.7, 0)), masked())
    # A mask that is shifted by half is another one: its IoU is a third.
    int8 = (masked(([5, 0, 15, 10], 0.9, 0), (RIGHT, 0.5, 1)), fp32[1], masked())
    found = compare("instance_masks", annotated(tmp_path), fp32, int8)
    assert scores(found) == [[1, 1, 1], [0, 1, 1]]
    assert [(p.kept, p.lost, p.gained) for p in found.points] == [(2, 1, 1), (2, 1, 1), (1, 2, 1)]
    assert [(p.lost_right, p.gained_right) for p in found.points] == [(1, 0), (1, 0), (2, 0)]
    assert says("instance_masks", fp32[1]) == "1 object: 1 of class 0; the surest 0.70"


def pose(x: float, score: float) -> Poses:
    points = [[[x + 10 * (k % 2), 10.0 * (k % 4), 1.0] for k in range(17)]]
    return Poses(np.array(points, np.float32), np.array([score], np.float32))


def person_file(folder: Path) -> Path:
    points = [v for k in range(17) for v in (10 * (k % 2), 10 * (k % 4), 2)]
    person = {"category_id": 1, "bbox": [0, 0, 10, 30], "area": 300, "iscrowd": 0}
    entries = [
        {**person, "id": 4 + i, "image_id": 7, "keypoints": points, "num_keypoints": 17 * (1 - i)}
        for i in (0, 1)
    ]
    path = folder / "persons.json"
    path.write_text(json.dumps({"images": [], "annotations": entries}))
    return path


def test_poses_of_whole_images(tmp_path: Path) -> None:
    samples = (Sample(7, tmp_path / "7.png"), Sample(8, tmp_path / "8.png"))
    data = EvaluationSet(samples, person_file(tmp_path), (1,), 1)
    nobody = Poses(np.zeros((0, 17, 3), np.float32), np.zeros(0, np.float32))
    found = compare("keypoints", data, [pose(0, 0.9), nobody], [pose(60, 0.9), pose(0, 0.3)])
    # What has no keypoints is not to be found.
    assert scores(found) == [[1, 1], [0, 1]]
    assert [(p.threshold, p.kept, p.lost, p.gained) for p in found.points][:2] == [
        (0.25, 0, 1, 2),
        (0.5, 0, 1, 1),
    ]
    assert says("keypoints", nobody) == "nobody above 0.25"
    assert says("keypoints", pose(0, 0.9)) == "1 person; the surest 0.90"


def test_poses_of_persons(tmp_path: Path) -> None:
    data = PersonSet((Sample(4, tmp_path / "7.png", box=(0, 0, 10, 30)),), person_file(tmp_path))
    found = compare("keypoints", data, [pose(0, 0.9)], [pose(1, 0.7)])
    assert scores(found) == [[1], [0]]
    assert found.shift is not None
    assert found.shift.worst == pytest.approx((0.9, 0.7))
    assert [point.kept for point in found.points] == [1, 1, 0]


def test_class_maps(tmp_path: Path) -> None:
    truth = np.array([[0, 0, 1, 1], [0, 0, 255, 1]], np.uint8)
    Image.fromarray(truth).save(tmp_path / "1.png")
    data = MappedSet((Sample(1, tmp_path / "1.png"),), maps=tmp_path)
    fp32 = ClassMap(np.array([[0, 0, 1, 1], [0, 0, 0, 0]], np.uint16))
    int8 = ClassMap(np.array([[0, 1, 1, 1], [0, 0, 1, 1]], np.uint16))
    found = compare("segmentation", data, [fp32], [int8])
    # Class 0: 4 of 5 pixels, then 3 of 4; class 1: 2 of 3, then 3 of 4.
    assert scores(found) == [[0.7333], [0.75]]
    # Three pixels change: one was right, one becomes right, one is ignored.
    assert found.points == (OperatingPoint("class of each pixel", None, 5, 3, 3, 1, 1),)
    assert found.shift is None
    assert says("segmentation", fp32) == "class 0 75 %, class 1 25 %"
    assert compare("segmentation", None, [fp32], [int8]).points[0].lost_right is None


def word(text: str, score: float = 1.0) -> Word:
    return Word(text, np.full(len(text), score, np.float32))


def test_texts() -> None:
    samples = tuple(Sample(i, Path(f"{i}.png")) for i in range(3))
    data = TranscriptSet(samples, texts={0: "Hotel", 1: "12", 2: "a"})
    fp32 = [word("hotel", 0.9), word("12"), word("b")]
    int8 = [word("hotel", 0.4), word("1Z"), word("")]
    found = compare("text_recognition", data, fp32, int8)
    assert scores(found) == [[1, 1, 0], [1, 0.5, 0]]
    assert found.points == (
        OperatingPoint("every text", None, 1, 2, 2, 1, 0),
        OperatingPoint("mean score 0.5", 0.5, 0, 3, 1, 2, 0),
    )
    assert found.shift is not None
    assert found.shift.worst == pytest.approx((0.9, 0.4))
    np.testing.assert_allclose(found.alike, [0.5, 0.5, 0.0])
    assert says("text_recognition", word("x", 0.5)) == "\u201cx\u201d, 0.50"
    assert says("text_recognition", word("")) == "no text"
