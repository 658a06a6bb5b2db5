"""What each task recognizes in outputs, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from fqbench.tasks.recognition import Guess, Seen, decidedness, noted, noted_classes, noted_size
from fqbench.tasks.registry import tasks
from fqbench.vision.normalization import (
    IMAGENET,
    NORMALIZATIONS,
    UNIT,
    in_color,
    normalization_of,
    normalized,
    usual,
)

SIZE = (64, 64)
CELLS = 84
"""Of an input of 64x64 with strides 8, 16 and 32: 64 + 16 + 4."""

RANDOM = np.random.default_rng(3)


def scores(*shape: int) -> np.ndarray:
    return RANDOM.random(shape, np.float32)


def centers(rows: int) -> np.ndarray:
    """x, y, w, h in pixels, all over the input."""
    places = np.linspace(1, 63, rows, dtype=np.float32)
    return np.stack([places, places[::-1], np.full(rows, 5.0), np.full(rows, 5.0)], axis=1)


def corners(rows: int) -> np.ndarray:
    places = np.linspace(1, 50, rows, dtype=np.float32)
    return np.stack([places, places[::-1], places + 9, places[::-1] + 9], axis=1)


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=1)[None].astype(np.float32)


def heat(maps: int, height: int, width: int) -> np.ndarray:
    found = np.zeros((1, maps, height, width), np.float32)
    found[:, :, 3, 4] = 0.9
    return found


YOLOV8 = joined(centers(CELLS), scores(CELLS, 5)).transpose(0, 2, 1)
POSE = joined(centers(CELLS), scores(CELLS, 1), *[centers(CELLS)[:, :2], scores(CELLS, 1)] * 3)
GRID = joined(RANDOM.normal(0, 0.5, (CELLS, 4)), scores(CELLS, 6))
DISTANCES = joined(scores(85, 3), RANDOM.normal(0, 4, (85, 32)))
TEXT = np.full((1, 40, 20), 0.05, np.float32)

CASES: list[tuple[str, list[np.ndarray], str, str, str]] = [
    ("1000 classes", [RANDOM.normal(0, 1, (1, 1000))], "classification", "logits", "likely"),
    ("ten numbers", [RANDOM.normal(0, 1, (1, 10))], "classification", "logits", "guess"),
    ("ten parts", [np.full((1, 10), 0.1)], "classification", "logits", "likely"),
    ("columns", [YOLOV8], "detection", "yolov8", "likely"),
    ("pixels", [joined(centers(CELLS), scores(CELLS, 6))], "detection", "yolov5", "likely"),
    ("cells", [GRID], "detection", "yolox", "likely"),
    ("corners", [joined(corners(CELLS), scores(CELLS, 6))], "detection", "ppyoloe", "likely"),
    (
        "best rows",
        [joined(corners(50), scores(50, 1), np.full((50, 1), 3))],
        "detection",
        "yolov10",
        "likely",
    ),
    (
        "queries",
        [RANDOM.normal(-3, 1, (1, 50, 7)), scores(1, 50, 4)],
        "detection",
        "detr",
        "likely",
    ),
    (
        "labels, boxes, scores",
        [np.zeros((1, 50), np.int64), corners(50)[None], scores(1, 50)],
        "detection",
        "rtdetr",
        "likely",
    ),
    ("distances", [DISTANCES], "detection", "nanodet", "likely"),
    (
        "boxes and scores",
        [corners(CELLS)[None], scores(1, 5, CELLS)],
        "detection",
        "ppyoloe",
        "likely",
    ),
    (
        "prototypes",
        [joined(centers(CELLS), scores(CELLS, 12)).transpose(0, 2, 1), scores(1, 8, 16, 16)],
        "instance_masks",
        "yolo_seg",
        "likely",
    ),
    ("poses", [POSE.transpose(0, 2, 1)], "keypoints", "yolo_pose", "likely"),
    ("peaks", [heat(17, 16, 16)], "keypoints", "heatmaps", "likely"),
    ("lines", [scores(1, 17, 128), scores(1, 17, 128)], "keypoints", "simcc", "likely"),
    ("maps", [RANDOM.normal(0, 5, (1, 7, 64, 64))], "segmentation", "semantic", "likely"),
    ("a class a place", [np.zeros((1, 64, 64), np.int64)], "segmentation", "semantic", "likely"),
]


def guesses(
    outputs: Sequence[Any], metadata: Mapping[str, str] | None = None, size: tuple = SIZE
) -> list[tuple[str, Guess]]:
    seen = Seen(size, True, 3, (outputs,), metadata or {})
    found = [
        (name, guess)
        for name, task in tasks().items()
        if task.recognition is not None
        for guess in task.recognition.guesses(seen)
    ]
    order = ("sure", "likely", "guess")
    return sorted(found, key=lambda each: order.index(each[1].sureness))


@pytest.mark.parametrize(
    ("outputs", "task", "kind", "sureness"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_outputs_are_recognized(
    outputs: list[np.ndarray], task: str, kind: str, sureness: str
) -> None:
    name, guess = guesses(outputs)[0]
    assert (name, guess.decode.kind, guess.sureness) == (task, kind, sureness)


def test_shapes_alone_never_make_sure() -> None:
    for case in CASES:
        assert all(guess.sureness != "sure" for _, guess in guesses(case[1]))


@pytest.mark.parametrize(
    "outputs",
    [
        [scores(1, 3, 4, 5, 6)],
        [scores(1, 77, 3), scores(1, 2), scores(1, 9, 9)],
        [scores(4, 1000)],
        [scores(1, 2, 3)],
    ],
)
def test_what_is_unknown_is_left_alone(outputs: list[np.ndarray]) -> None:
    assert guesses(outputs) == []


class TestExporters:
    @pytest.mark.parametrize(
        ("word", "outputs", "kind"),
        [
            ("detect", [YOLOV8], "yolov8"),
            ("pose", [POSE.transpose(0, 2, 1)], "yolo_pose"),
            ("classify", [np.full((1, 10), 0.1)], "logits"),
        ],
    )
    def test_what_the_file_states_is_sure(self, word: str, outputs: list, kind: str) -> None:
        found = guesses(outputs, {"author": "Ultralytics", "task": word})
        assert [(g.decode.kind, g.sureness) for _, g in found] == [(kind, "sure")]
        assert found[0][1].stated is not None
        assert found[0][1].preprocess[0].scale == pytest.approx(1 / 255)

    def test_a_task_that_nothing_reads_is_not_taken_for_another(self) -> None:
        assert guesses([YOLOV8], {"author": "Ultralytics", "task": "obb"}) == []

    def test_letters_are_noted(self) -> None:
        noted_letters = "\n".join("abcdefghijklmnopqr")
        found = guesses([TEXT], {"character": noted_letters}, (32, 160))
        (_, first), *_ = found
        assert (first.decode.kind, first.sureness, first.missing) == ("ctc", "sure", ())
        (_, without), *_ = guesses([TEXT], {}, (32, 160))
        assert without.sureness == "likely"
        assert len(without.missing) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "__import__('os').getcwd()", "(" * 5000, "9" * 70000, "\x00", "[1, 2"]
)
def test_a_note_that_cannot_be_read_is_none(text: str) -> None:
    assert noted({"names": text}, "names") is None
    assert noted_classes({"names": text}) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("[640, 480]", (640, 480)), ("[640]", None), ("[0, 5]", None), ("640", None)],
)
def test_the_noted_size(text: str, size: tuple[int, int] | None) -> None:
    assert noted_size({"imgsz": text}) == size


def test_decidedness_wants_every_answer_decided_and_not_all_alike() -> None:
    each_its_own = np.eye(4) * 50
    all_alike = np.tile([50.0, 0, 0, 0], (4, 1))
    undecided = np.zeros((4, 4))
    assert decidedness(each_its_own) == pytest.approx(np.log(4))
    assert decidedness(all_alike) == pytest.approx(0, abs=1e-6)
    assert decidedness(undecided) == pytest.approx(0, abs=1e-6)


class TestNormalization:
    def test_colors_keep_their_own_mean(self) -> None:
        resize = {"kind": "stretch", "size": (4, 4)}
        first = usual(resize, IMAGENET)
        assert in_color(first, "bgr").mean == (0.406, 0.456, 0.485)
        assert in_color(in_color(first, "bgr"), "rgb") == first
        assert usual(resize, IMAGENET, "bgr") == in_color(first, "bgr")

    @pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
    def test_each_is_recognized(self, color: str) -> None:
        first = usual({"kind": "stretch", "size": (4, 4)}, UNIT, color)
        for each in NORMALIZATIONS:
            assert normalization_of(normalized(first, each)) == each
        assert normalization_of(first.model_copy(update={"scale": 0.3})) is None
