"""Answers drawn on their images, by the pixels that change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.drawing import color
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.runs import encode
from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.registry import tasks
from fqbench.tasks.segmentation.answers import ClassMap
from fqbench.tasks.text_recognition.answers import Word

BOXES = np.array([[10, 12, 30, 40], [0, 0, 5, 5]], np.float32)
SURE = np.array([0.9, 0.1], np.float32)
LABELS = np.array([2, 3])
MASK = np.zeros((50, 60), np.bool_)
MASK[20:30, 15:25] = True
CODED = (encode(MASK),) * 2
LABEL_MAP = np.zeros((50, 60), np.uint16)
LABEL_MAP[5:10, 7:9] = 4
POINTS = np.array([[[20, 30, 0.9], [50, 10, 0.1]]], np.float32)

ANSWERS: dict[str, Any] = {
    "classification": TopClass(7, 0.5),
    "detection": Detections(BOXES, SURE, LABELS),
    "instance_masks": Instances(BOXES, SURE, LABELS, CODED, (50, 60)),
    "keypoints": Poses(POINTS, np.array([0.8], np.float32)),
    "segmentation": ClassMap(LABEL_MAP),
    "text_recognition": Word("word", np.ones(4, np.float32)),
}


def drawn(task: str) -> np.ndarray:
    image = np.zeros((50, 60, 3), np.uint8)
    found = tasks()[task].draw(image, ANSWERS[task], 1.0)
    assert not image.any()
    return found


@pytest.mark.parametrize("task", ANSWERS)
def test_every_answer_can_be_seen(task: str) -> None:
    found = drawn(task)
    assert found.dtype == np.uint8
    assert found.shape[1:] == (60, 3)
    assert found.any()


def test_only_what_is_sure_is_drawn() -> None:
    found = drawn("detection")
    assert tuple(found[40, 20]) == color(2)
    assert not found[:6, :6].any()
    found = drawn("keypoints")
    assert tuple(found[30, 20]) == color(0)
    assert not found[10, 50].any()


def test_areas_are_half_covered() -> None:
    half = np.rint(np.array(color(4)) / 2).astype(int).tolist()
    found = drawn("segmentation")
    assert found[7, 8].tolist() == half
    assert np.argwhere(found.any(axis=2)).min(axis=0).tolist() == [5, 7]
    assert np.argwhere(found.any(axis=2)).max(axis=0).tolist() == [9, 8]
    half = np.rint(np.array(color(2)) / 2).astype(int).tolist()
    assert drawn("instance_masks")[29, 24].tolist() == half
