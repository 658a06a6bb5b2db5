from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fqbench.data import EvaluationSet, Sample, open_dataset
from fqbench.errors import StepError
from fqbench.measure import accuracy as measured
from fqbench.measure.accuracy import image_weights
from fqbench.measure.prediction import Prediction
from fqbench.measure.stats import Interval
from fqbench.spec import Coco
from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.average_precision import weighted_map
from fqbench.tasks.record import Task
from fqbench.tasks.registry import tasks

CATEGORY_IDS = (2, 5, 9)


def _task(data: EvaluationSet) -> Task:
    return tasks()["classification" if data.annotations is None else "detection"]


def accuracy(data: EvaluationSet, predictions: list[Prediction]) -> float:
    return measured.accuracy(_task(data), data, predictions)


def drop(data: EvaluationSet, *sides: list[Prediction]) -> Interval:
    return measured.drop(_task(data), data, *sides)


def _top1(labels: list[int]) -> EvaluationSet:
    return EvaluationSet(tuple(Sample(i, Path(f"{i}.jpg"), c) for i, c in enumerate(labels)))


def _classes(answers: list[int]) -> list[Prediction]:
    return [Prediction(i, TopClass(answer)) for i, answer in enumerate(answers)]


def _found(boxes: Any, scores: Any, labels: Any) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels, np.int64),
    )


NOTHING = _found([], [], [])


def _detection(path: Path, objects: list[list[dict[str, Any]]]) -> EvaluationSet:
    """A data set with ``objects`` (annotations without an image) of each image."""
    numbered = [
        {"image_id": image, **entry} for image, entries in enumerate(objects) for entry in entries
    ]
    content = {
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in range(len(objects))],
        "annotations": numbered,
        "categories": [{"id": category} for category in CATEGORY_IDS],
    }
    path.write_text(json.dumps(content))
    samples = tuple(Sample(image, Path(f"{image}.jpg")) for image in range(len(objects)))
    return EvaluationSet(samples, path, CATEGORY_IDS)


def _object(x: float, y: float, w: float, h: float, category: int = 2, **more: Any) -> dict:
    return {"category_id": category, "bbox": [x, y, w, h], **more}


def _predicted(answers: list[Detections]) -> list[Prediction]:
    return [Prediction(image, answer) for image, answer in enumerate(answers)]


def test_top1_counts_what_is_right() -> None:
    assert accuracy(_top1([3, 1, 4, 1]), _classes([3, 1, 4, 9])) == 75.0


def test_top1_does_not_depend_on_the_order() -> None:
    assert accuracy(_top1([3, 1, 4]), _classes([3, 1, 5])[::-1]) == pytest.approx(200 / 3)


def test_drop_of_top1_is_what_was_lost() -> None:
    data = _top1([0] * 100)
    lost = drop(data, _classes([0] * 90 + [1] * 10), _classes([0] * 80 + [1] * 20))
    assert lost.value == pytest.approx(10.0)
    # The standard error of a share of 0.1 of 100 images is 3 points.
    assert lost.low == pytest.approx(10 - 1.96 * 3, abs=1.5)
    assert lost.high == pytest.approx(10 + 1.96 * 3, abs=1.5)


def test_drop_is_paired() -> None:
    # As many right on both sides: of the same images nothing varies, of others it does.
    data = _top1([0] * 100)
    half = [0] * 50 + [1] * 50
    same, other = (drop(data, _classes(half), _classes(int8)) for int8 in (half, half[::-1]))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert other.value == 0.0
    assert other.low < -10
    assert other.high > 10


def test_drop_is_the_same_every_time() -> None:
    data = _top1([0] * 30)
    sides = _classes([0] * 25 + [1] * 5), _classes([0] * 20 + [1] * 10)
    assert drop(data, *sides) == drop(data, *sides)


def test_weights_draw_as_many_images_as_there_are() -> None:
    all_images, *blocks = image_weights(7, seed=1)
    assert all_images.tolist() == [[1.0] * 7]
    weights = np.concatenate(blocks)
    assert weights.shape == (1000, 7)
    assert set(weights.sum(axis=1)) == {7}
    assert abs(weights.mean(axis=0) - 1).max() < 0.15


def test_map_of_perfect_detections_is_100(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)], [_object(0, 0, 9, 9, 9)]])
    perfect = [_found([10, 10, 30, 30], [0.9], [0]), _found([0, 0, 9, 9], [0.4], [2])]
    assert accuracy(data, _predicted(perfect)) == pytest.approx(100.0)


def test_map_of_a_shifted_box_is_30(tmp_path: Path) -> None:
    # Shifted by 4 of 20 the IoU is 16/24 = 0.667: right at .50, .55, .60, .65 of ten thresholds;
    # with two of twenty pixels more it is 18/22 = 0.818: right at seven.
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)]])
    shifted = _predicted([_found([14, 10, 34, 30], [0.9], [0])])
    assert accuracy(data, shifted) == pytest.approx(40.0)
    less = _predicted([_found([12, 10, 32, 30], [0.9], [0])])
    assert accuracy(data, less) == pytest.approx(70.0)
    assert drop(data, less, shifted).value == pytest.approx(30.0)


def test_map_counts_a_false_alarm_of_a_higher_score(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)]])
    boxes = [[10, 10, 30, 30], [50, 50, 60, 60]]
    assert accuracy(data, _predicted([_found(boxes, [0.5, 0.9], [0, 0])])) == pytest.approx(50.0)
    assert accuracy(data, _predicted([_found(boxes, [0.9, 0.5], [0, 0])])) == pytest.approx(100.0)


def test_map_of_one_of_two_objects_is_51_of_101_recalls(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(0, 0, 20, 20), _object(50, 50, 9, 9)]])
    half = _predicted([_found([0, 0, 20, 20], [0.5], [0])])
    assert accuracy(data, half) == pytest.approx(100 * 51 / 101)


def test_map_leaves_out_categories_without_an_object(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)]])
    boxes = [[10, 10, 30, 30], [1, 1, 5, 5]]
    assert accuracy(data, _predicted([_found(boxes, [0.5, 0.9], [0, 1])])) == pytest.approx(100.0)


def test_a_crowd_is_neither_missed_nor_a_false_alarm(tmp_path: Path) -> None:
    objects = [_object(10, 10, 20, 20), _object(40, 40, 50, 50, iscrowd=1)]
    data = _detection(tmp_path / "a.json", [objects])
    boxes = [[45, 45, 55, 55], [10, 10, 30, 30]]
    answers = _predicted([_found(boxes, [0.9, 0.5], [0, 0])])
    assert accuracy(data, answers) == pytest.approx(100.0)
    assert drop(data, answers, answers).high == 0.0


def test_the_first_object_matches_though_its_number_is_0(tmp_path: Path) -> None:
    objects = [_object(10, 10, 20, 20, id=0), _object(60, 60, 20, 20, id=0)]
    data = _detection(tmp_path / "a.json", [objects])
    boxes = [[10, 10, 30, 30], [60, 60, 80, 80]]
    assert accuracy(data, _predicted([_found(boxes, [0.9, 0.8], [0, 0])])) == pytest.approx(100.0)


def test_only_the_images_of_the_data_set_count(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)], [_object(0, 0, 9, 9)]])
    first = EvaluationSet(data.samples[:1], data.annotations, data.category_ids)
    answers = _predicted([_found([10, 10, 30, 30], [0.9], [0])])
    assert accuracy(first, answers) == pytest.approx(100.0)


def test_no_detection_at_all_is_a_map_of_0(tmp_path: Path) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)], []])
    perfect = _predicted([_found([10, 10, 30, 30], [0.9], [0]), NOTHING])
    nothing = _predicted([NOTHING, NOTHING])
    assert accuracy(data, nothing) == 0.0
    assert drop(data, perfect, nothing).value == pytest.approx(100.0)
    same = drop(data, nothing, nothing)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_map_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)]])
    answers = _predicted([_found([10, 10, 30, 30], [0.9], [0])])
    drop(data, answers, answers)
    accuracy(data, answers)
    assert capsys.readouterr() == ("", "")


def test_answers_that_do_not_fit_the_data_set_are_told(tmp_path: Path) -> None:
    boxes = _detection(tmp_path / "a.json", [[_object(10, 10, 20, 20)], []])
    with pytest.raises(StepError, match=r"image 1.jpg has no prediction"):
        accuracy(boxes, _predicted([NOTHING]))
    with pytest.raises(StepError, match="there are 3 predictions for 2 images"):
        accuracy(boxes, _predicted([NOTHING] * 3))
    with pytest.raises(StepError, match="gave a class for an image, its data set expects boxes"):
        accuracy(boxes, _classes([1, 1]))
    with pytest.raises(StepError, match="gave boxes for an image, its data set expects a class"):
        accuracy(_top1([1]), _predicted([NOTHING]))
    for label in (3, -1):
        unknown = _predicted([_found([1, 1, 2, 2], [0.5], [label]), NOTHING])
        with pytest.raises(StepError, match=f"found class {label}, the annotations have 3 categ"):
            accuracy(boxes, unknown)


def _pycocotools(data: EvaluationSet, answers: list[Detections], images: list[int]) -> float:
    """COCOeval's own mAP in points, with copies of the images that count more than once."""
    content = json.loads(data.annotations.read_text())
    objects, boxes = [], []
    for copy, image in enumerate(images):
        for entry in content["annotations"]:
            if entry["image_id"] == image:
                number = len(objects) + 1
                width, height = entry["bbox"][2:]
                filled = {"iscrowd": 0, "area": width * height, **entry}
                objects.append({**filled, "image_id": copy, "id": number})
        answer = answers[image]
        for (x1, y1, x2, y2), score, label in zip(
            answer.boxes.tolist(), answer.scores.tolist(), answer.labels, strict=True
        ):
            place = {"image_id": copy, "category_id": CATEGORY_IDS[label]}
            boxes.append({**place, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score})
    truth = COCO()
    listed = [{"id": copy} for copy in range(len(images))]
    truth.dataset = {**content, "info": {}, "images": listed, "annotations": objects}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(boxes), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0] * 100)


@st.composite
def _scenes(draw: st.DrawFn, *, ties: bool) -> tuple[list[list[dict[str, Any]]], list[Detections]]:
    """Objects on a grid and detections near them, of a few images.

    Scores repeat from image to image, and with ``ties`` inside an image, too.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects, answers = [], []
    for _ in range(draw(st.integers(2, 6))):
        count = int(rng.integers(0, 6))
        corners = rng.integers(0, 8, (count, 2)) * 12.0
        labels = rng.integers(0, 3, count)
        crowd = rng.random(count) < 0.15
        objects.append(
            [
                _object(x, y, 10, 10, CATEGORY_IDS[label], iscrowd=int(c))
                for (x, y), label, c in zip(corners.tolist(), labels, crowd, strict=True)
            ]
        )
        shifts = rng.integers(-3, 4, (count, 2))
        kept = rng.random(count) < 0.8
        alarms = rng.integers(0, 90, (3, 2)).astype(float)
        places = np.concatenate([(corners + shifts)[kept], alarms])
        boxes = np.concatenate([places, places + 10], axis=1)
        found = np.concatenate([labels[kept], rng.integers(0, 3, 3)])
        scores = rng.integers(1, 4, len(boxes)) if ties else rng.permutation(len(boxes)) + 1
        answers.append(_found(boxes, scores / 16, found))
    return objects, answers


@given(_scenes(ties=True))
@settings(deadline=None, max_examples=40)
def test_weights_of_1_give_what_pycocotools_gives(
    tmp_path_factory: pytest.TempPathFactory, scenes: Any
) -> None:
    objects, answers = scenes
    data = _detection(tmp_path_factory.getbasetemp() / "scenes.json", objects)
    expected = max(0.0, _pycocotools(data, answers, list(range(len(objects)))))
    weights = np.ones((1, len(objects)))
    np.testing.assert_allclose(weighted_map(data, answers, weights), expected, atol=1e-9)
    if expected > 0:
        assert accuracy(data, _predicted(answers)) == pytest.approx(expected, abs=1e-9)


# Not with ties inside an image: whether A, A, B, B or A, B, A, B is sorted first is arbitrary.
@pytest.mark.slow
@given(_scenes(ties=False), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_weights_do_what_copies_of_images_do(
    tmp_path_factory: pytest.TempPathFactory, scenes: Any, seed: int
) -> None:
    objects, answers = scenes
    data = _detection(tmp_path_factory.getbasetemp() / "scenes.json", objects)
    draws = np.random.default_rng(seed).integers(0, len(objects), (3, len(objects)))
    draws.sort(axis=1)
    weights = np.array([np.bincount(draw, minlength=len(objects)) for draw in draws], float)
    # Without any object pycocotools has no answer: -1.
    expected = [max(0.0, _pycocotools(data, answers, draw.tolist())) for draw in draws]
    np.testing.assert_allclose(weighted_map(data, answers, weights), expected, atol=1e-9)


def test_drop_agrees_with_the_accuracies(tmp_path: Path) -> None:
    objects = [[_object(10 * i, 10, 8, 8, c) for c in CATEGORY_IDS] for i in range(6)]
    data = _detection(tmp_path / "a.json", objects)
    sides = []
    for shift in (0.5, 2):
        boxes = [[[10 * i + shift * c, 10, 10 * i + 8, 18] for c in range(3)] for i in range(6)]
        sides.append(_predicted([_found(b, [0.9, 0.8, 0.7], [0, 1, 2]) for b in boxes]))
    lost = drop(data, *sides)
    assert lost.value == pytest.approx(accuracy(data, sides[0]) - accuracy(data, sides[1]))
    assert lost.value > 5
    assert lost.low <= lost.value <= lost.high


def test_map_of_the_truth_itself_on_real_annotations() -> None:
    root = os.environ.get("FQBENCH_DATA")
    if not root:
        pytest.skip("FQBENCH_DATA names no folder of data")
    folder = Path(root) / "coco"
    path = folder / "instances_val2017_128.json"
    data = open_dataset(Coco(kind="coco", images=folder / "images/val2017", annotations=path))
    answers: dict[int, list[Any]] = {sample.image_id: [] for sample in data.samples}
    for entry in json.loads(path.read_text())["annotations"]:
        if not entry["iscrowd"]:
            x, y, w, h = entry["bbox"]
            label = data.category_ids.index(entry["category_id"])
            answers[entry["image_id"]].append(([x, y, x + w, y + h], 1.0, label))
    predictions = [
        Prediction(image, _found(*([f[part] for f in found] for part in range(3))))
        for image, found in answers.items()
    ]
    assert len(predictions) == 128
    assert accuracy(data, predictions) == pytest.approx(100.0, abs=0.01)
