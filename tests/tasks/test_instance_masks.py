from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as run_lengths

from fqbench.data import EvaluationSet, Sample
from fqbench.errors import StepError
from fqbench.measure.prediction import Prediction, read_predictions, write_predictions
from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection.metric import MAP
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.instance_masks.decode import YoloSeg
from fqbench.tasks.instance_masks.disagreement import disagreement
from fqbench.tasks.instance_masks.metric import points, weighted
from fqbench.tasks.instance_masks.runs import decode, encode
from fqbench.vision.geometry import Geometry

SIZE = (16, 16)
SAME = Geometry(SIZE, (1.0, 1.0), (0.0, 0.0))
TWICE = Geometry((32, 32), (0.5, 0.5), (0.0, 0.0))


def outputs() -> list[np.ndarray]:
    """Two boxes with one class; the first prototype is positive left of 8, the second below 8."""
    rows = np.zeros((1, 4 + 1 + 2, 9), np.float32)
    rows[0, :, 0] = [8, 8, 8, 8, 0.9, 1, 0]
    rows[0, :, 1] = [8, 8, 16, 16, 0.6, 0, 1]
    prototypes = np.full((1, 2, 8, 8), -1, np.float32)
    prototypes[0, 0, :, :4] = 1
    prototypes[0, 1, 4:] = 1
    return [rows, prototypes]


def masks(found: Instances) -> list[np.ndarray]:
    return [decode(each, found.image_size) for each in found.masks]


@pytest.mark.parametrize("turned", [False, True])
def test_masks_are_sums_of_prototypes_cut_at_the_box(turned: bool) -> None:
    given_ = outputs()[::-1] if turned else outputs()
    found = decoder(YoloSeg(kind="yolo_seg"), SIZE)(given_, SAME)
    assert found.boxes.tolist() == [[4, 4, 12, 12], [0, 0, 16, 16]]
    first, second = np.zeros(SIZE), np.zeros(SIZE)
    first[4:12, 4:8] = 1
    second[8:] = 1
    assert [each.tolist() for each in masks(found)] == [first.tolist(), second.tolist()]


def test_masks_are_those_of_the_image() -> None:
    found = decoder(YoloSeg(kind="yolo_seg"), SIZE)(outputs(), TWICE)
    assert found.boxes.tolist() == [[8, 8, 24, 24], [0, 0, 32, 32]]
    expected = np.zeros((32, 32))
    expected[8:24, 8:16] = 1
    assert masks(found)[0].tolist() == expected.tolist()


def test_a_wrong_shape_is_told() -> None:
    rows, prototypes = outputs()
    for shapes in ([rows], [rows, prototypes[:, :1, :3]], [rows[:, :6], prototypes]):
        with pytest.raises(StepError, match=r"expected \[1, 4 \+ classes \+ m, n\] and protot"):
            decoder(YoloSeg(kind="yolo_seg"), SIZE)(shapes, SAME)


def instances(*parts: tuple[slice, slice], label: int = 0, score: float = 0.9) -> Instances:
    """Masks of parts (rows, columns) of an image of 20x10 pixels."""
    boxes, coded = [], []
    for rows, columns in parts:
        mask = np.zeros((20, 10), np.bool_)
        mask[rows, columns] = True
        coded.append(encode(mask))
        boxes.append([columns.start, rows.start, columns.stop, rows.stop])
    count = len(parts)
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.full(count, label, np.int64),
        tuple(coded),
        (20, 10),
    )


LEFT, TOP = (slice(0, 20), slice(0, 5)), (slice(0, 10), slice(0, 10))


@settings(deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)))
def test_runs_are_those_of_coco_s_tools(mask: np.ndarray) -> None:
    runs = encode(mask)
    assert decode(runs, mask.shape).tolist() == mask.tolist()
    theirs = run_lengths.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = run_lengths.frPyObjects({"size": list(mask.shape), "counts": runs.tolist()}, *mask.shape)
    assert ours["counts"] == theirs["counts"]


def test_disagreement_by_hand() -> None:
    left, top, none = instances(LEFT), instances(TOP), instances()
    assert disagreement([left], [left]) == 0.0
    # 50 pixels in both, 150 in either.
    assert disagreement([left], [top]) == pytest.approx(1 - 1 / 3)
    assert disagreement([left], [none]) == 1.0
    assert disagreement([left], [instances(LEFT, label=1)]) == 1.0
    assert disagreement([left], [instances(LEFT, score=0.3)]) == pytest.approx(0.5)


@pytest.fixture
def data(tmp_path: Path) -> EvaluationSet:
    def entry(number: int, image: int, outline: object) -> dict[str, object]:
        return {
            "id": number,
            "image_id": image,
            "category_id": 3,
            "bbox": [0, 0, 5, 20],
            "area": 100.0,
            "iscrowd": 0,
            "segmentation": outline,
        }

    runs = {"size": [20, 10], "counts": [0, 100, 100]}
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 20, "width": 10} for i in (1, 2)],
        "annotations": [entry(1, 1, [[0, 0, 5, 0, 5, 20, 0, 20]]), entry(2, 2, runs)],
        "categories": [{"id": 3}],
    }
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(content))
    samples = (Sample(1, tmp_path / "1.jpg"), Sample(2, tmp_path / "2.jpg"))
    return EvaluationSet(samples, path, (3,), 1)


def test_average_precision_of_masks_and_of_their_boxes(data: EvaluationSet) -> None:
    right, wrong = instances(LEFT), instances(TOP, score=0.1)
    assert points(data, [right, right]) == pytest.approx(100.0)
    assert MAP.points(data, [right, right]) == pytest.approx(100.0)
    # Half of the objects are found: precision 1 up to a recall of 0.5.
    assert points(data, [right, wrong]) == pytest.approx(100 * 51 / 101)


def test_a_mask_counts_by_its_pixels_not_by_its_box(data: EvaluationSet) -> None:
    hollow = instances((slice(0, 20), slice(0, 4)))
    boxed = Instances(
        np.array([[0, 0, 5, 20]], np.float32), hollow.scores, hollow.labels, hollow.masks, (20, 10)
    )
    # IoU 80 of 100: right up to a threshold of 0.8, seven of ten.
    assert points(data, [boxed, boxed]) == pytest.approx(70.0)
    assert MAP.points(data, [boxed, boxed]) == pytest.approx(100.0)


def test_weights_count_images(data: EvaluationSet) -> None:
    blocks = iter([np.ones((1, 2)), np.array([[2.0, 0], [0, 2]])])
    answers = [instances(LEFT), instances(TOP, score=0.1)]
    np.testing.assert_allclose(weighted(data, answers, blocks), [100 * 51 / 101, 100, 0])


def test_what_cannot_be_scored_is_told(data: EvaluationSet) -> None:
    with pytest.raises(StepError, match="the model found class 4, the annotations have 1"):
        points(data, [instances(LEFT, label=4)] * 2)
    assert data.annotations is not None
    content = json.loads(data.annotations.read_text())
    content["annotations"][0]["segmentation"] = []
    data.annotations.write_text(json.dumps(content))
    with pytest.raises(StepError, match="the annotation 1 has no outline that can be read"):
        points(data, [instances(LEFT)] * 2)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_masks_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("predictions")
    made = [instances(*[LEFT, TOP, LEFT][:count]) for count in counts]
    write_predictions(folder, [Prediction(i, each) for i, each in enumerate(made)])
    for one, other in zip(made, read_predictions(folder), strict=True):
        for mask, same in zip(one.masks, other.answer.masks, strict=True):
            np.testing.assert_array_equal(mask, same)
        assert one.image_size == other.answer.image_size
        assert one.boxes.tolist() == other.answer.boxes.tolist()
        assert one.labels.tolist() == other.answer.labels.tolist()
