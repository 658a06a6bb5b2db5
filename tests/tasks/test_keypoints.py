from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.data import EvaluationSet, Sample, open_dataset
from fqbench.errors import StepError, UsageError
from fqbench.measure.accuracy import resampled
from fqbench.measure.prediction import Prediction, read_predictions, write_predictions
from fqbench.tasks.decoding import decoder
from fqbench.tasks.keypoints import TASK
from fqbench.tasks.keypoints.answers import Poses
from fqbench.tasks.keypoints.dataset import CocoPersons, PersonSet
from fqbench.tasks.keypoints.disagreement import disagreement
from fqbench.tasks.keypoints.metric import points, weighted
from fqbench.tasks.keypoints.oks import COCO_SIGMAS, similarity
from fqbench.tasks.keypoints.rows import YoloPose
from fqbench.tasks.keypoints.top_down import Heatmaps, SimCC
from fqbench.vision.geometry import Geometry

SIZE = (16, 12)
SAME = Geometry(SIZE, (1.0, 1.0), (0.0, 0.0))
HALF = Geometry((32, 24), (0.5, 0.5), (0.25, 0.25))
"""Index i of the image's pixels is index i / 2 of the input's."""


def test_a_heat_map_s_maximum_moves_a_quarter_to_its_greater_neighbour() -> None:
    maps = np.zeros((1, 2, 4, 3), np.float32)
    maps[0, 0, 2, 1], maps[0, 0, 2, 2], maps[0, 0, 1, 1] = 0.9, 0.3, 0.2
    maps[0, 1, 0, 2] = 0.1  # in a corner: no neighbour on two sides
    found = decoder(Heatmaps(kind="heatmaps"), SIZE)([maps], SAME)
    np.testing.assert_allclose(found.keypoints[0], [[5, 7, 0.9], [8, 0, 0.1]], rtol=1e-6)
    # The mean of those above 0.2.
    np.testing.assert_allclose(found.scores, [0.9])


def test_keypoints_are_indices_of_the_image_s_pixels() -> None:
    maps = np.zeros((1, 1, 16, 12), np.float32)
    maps[0, 0, 0, 11] = 1
    found = decoder(Heatmaps(kind="heatmaps"), SIZE)([maps], HALF)
    np.testing.assert_allclose(found.keypoints[0], [[22, 0, 1]])


def test_simcc_takes_the_best_column_and_row_and_the_lower_score() -> None:
    across, down = np.zeros((1, 2, 24), np.float32), np.zeros((1, 2, 32), np.float32)
    across[0, 0, 7], down[0, 0, 20] = 0.8, 0.6
    across[0, 1, 23], down[0, 1, 31] = 0.5, 0.7
    found = decoder(SimCC(kind="simcc"), SIZE)([across, down], SAME)
    np.testing.assert_allclose(found.keypoints[0], [[3.5, 10, 0.6], [11.5, 15.5, 0.5]])
    np.testing.assert_allclose(found.scores, [0.55])


def test_yolo_pose_finds_any_number_of_persons() -> None:
    columns = np.zeros((1, 8, 9), np.float32)
    columns[0, :, 0] = [6, 8, 4, 4, 0.9, 5, 7, 1.0]
    columns[0, :, 3] = [6.2, 8, 4, 4, 0.8, 5, 7, 0.5]  # suppressed
    columns[0, :, 5] = [2, 2, 2, 2, 0.3, 2, 3, 0.25]
    found = decoder(YoloPose(kind="yolo_pose"), SIZE)([columns], SAME)
    np.testing.assert_allclose(found.scores, [0.9, 0.3])
    np.testing.assert_allclose(found.keypoints, [[[4.5, 6.5, 1.0]], [[1.5, 2.5, 0.25]]])


@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        (Heatmaps(kind="heatmaps"), [(1, 17, 4, 9)]),
        (Heatmaps(kind="heatmaps"), [(1, 17, 4)]),
        (SimCC(kind="simcc"), [(1, 17, 24), (1, 17, 24)]),
        (YoloPose(kind="yolo_pose"), [(1, 7, 9)]),
    ],
)
def test_a_wrong_shape_is_told(settings: Any, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(StepError, match="the model's outputs have the shapes"):
        decoder(settings, SIZE)([np.zeros(shape, np.float32) for shape in shapes], SAME)


def test_oks_by_hand() -> None:
    wanted = np.zeros((1, 17, 2))
    found = np.zeros((2, 17, 2))
    found[1, 0] = [3.0, 4.0]  # the nose, 5 pixels off: exp(-25 / (2 * 400 * (2 * 0.026)^2))
    oks = similarity(wanted, found, np.array([400.0]))
    nose = np.exp(-25 / (2 * 400 * 0.052**2))
    np.testing.assert_allclose(oks, [[1.0, (16 + nose) / 17]])
    assert COCO_SIGMAS[0] == pytest.approx(0.026)


def pose(*values: float, score: float = 1.0) -> Poses:
    return Poses(np.array([[[x, 0, 1] for x in values]], np.float32), np.array([score], "f4"))


def test_oks_counts_keypoints_by_their_shares() -> None:
    wanted, found = np.zeros((2, 2, 2)), np.zeros((1, 2, 2))
    found[0, 1] = [1000.0, 0.0]
    areas = np.array([400.0, 400.0])
    oks = similarity(wanted, found, areas, np.array([[0.9, 0.3], [0.0, 0.0]]))
    np.testing.assert_allclose(oks, [[0.75], [0.5]])


def test_a_keypoint_counts_as_much_as_fp32_is_sure_of_it() -> None:
    def person(end: float, sure: float) -> Poses:
        points = [[0, 0, 0.9], [100, 100, 0.9], [end, 50, sure]]
        return Poses(np.array([points], np.float32), np.ones(1, np.float32))

    seen, unseen = (disagreement([person(50, sure)], [person(9000, sure)]) for sure in (0.9, 0.1))
    assert seen == pytest.approx(0.9 / 2.7)
    assert unseen == pytest.approx(0.1 / 1.9)


def test_scores_that_differ_a_little_cost_their_square() -> None:
    one, other = pose(0, 10, score=1.0), pose(0, 10, score=0.875)
    assert disagreement([one], [other]) == pytest.approx(0.015625)
    assert disagreement([pose(0, 10, score=0.0)], [one]) == pytest.approx(1.0)


def test_the_top_of_a_parabola_does_not_jump() -> None:
    """Of 0.5, 0.9, 0.7 around column 2 it is 0.2 / 1.2 of a place behind it."""
    maps = np.zeros((1, 1, 4, 5), np.float32)
    maps[0, 0, 2, 1:4] = 0.5, 0.9, 0.7
    by_parabola = decoder(Heatmaps(kind="heatmaps", refine="parabola"), (4, 5))
    same = Geometry((4, 5), (1.0, 1.0), (0.0, 0.0))
    np.testing.assert_allclose(by_parabola([maps], same).keypoints[0, 0, :2], [2 + 1 / 6, 2])
    # Two that are alike: between them, whichever is found.
    maps[0, 0, 2, 1:4] = 0.1, 0.9, 0.9
    np.testing.assert_allclose(by_parabola([maps], same).keypoints[0, 0, :2], [2.5, 2])


def test_neighbours_that_are_almost_alike_cost_nothing_where_int8_is_judged() -> None:
    """By a quarter of a place it would be half a place."""
    comparison = TASK.decoders[0].comparison
    assert comparison is not None
    judged = decoder(comparison.settings(Heatmaps(kind="heatmaps")), SIZE)
    answers = []
    for after in (0.5001, 0.4999):
        maps = np.zeros((1, 2, 16, 12), np.float32)
        maps[0, 0, 8, 4:7] = 0.5, 0.9, after
        maps[0, 1, 2, 2] = 0.9
        answers.append(judged([maps], SAME))
    assert comparison.error(answers[:1], answers[1:]) < 1e-6


def test_disagreement() -> None:
    one, none = pose(0, 10), Poses(np.zeros((0, 0, 3), np.float32), np.zeros(0, np.float32))
    assert disagreement([one], [one]) == 0.0
    assert disagreement([one], [none]) == 1.0
    assert disagreement([none], [none]) == 0.0
    assert disagreement([one], [pose(0, 10, score=0.5)]) == pytest.approx(0.25)


def write_annotations(folder: Path, persons: list[dict[str, Any]]) -> Path:
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (7, 8)]
    for image in images:
        (folder / image["file_name"]).touch()  # type: ignore[operator]
    path = folder / "persons.json"
    content = {"images": images, "annotations": persons, "categories": [{"id": 1}]}
    path.write_text(json.dumps(content))
    return path


def person(number: int, image: int, x: float, *, keypoints: int = 17) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [x, 0, 40, 50],
        "area": 1000.0,
        "iscrowd": 0,
        "num_keypoints": keypoints,
        "keypoints": [v for i in range(17) for v in (x + 2 * i, 3 * i, 2 if keypoints else 0)],
    }


def answer(x: float, score: float = 1.0) -> Poses:
    points_ = np.array([[x + 2 * i, 3 * i, 1.0] for i in range(17)], np.float32)
    return Poses(points_[None], np.array([score], np.float32))


@pytest.fixture
def data(tmp_path: Path) -> PersonSet:
    listed = [person(3, 8, 0), person(1, 7, 0), person(2, 7, 100), person(4, 7, 9, keypoints=0)]
    path = write_annotations(tmp_path, listed)
    found = open_dataset(CocoPersons(kind="coco_persons", images=tmp_path, annotations=path))
    assert isinstance(found, PersonSet)
    return found


def test_each_person_with_keypoints_is_a_sample(data: PersonSet, tmp_path: Path) -> None:
    assert data.samples == (
        Sample(1, tmp_path / "7.jpg", box=(0, 0, 40, 50)),
        Sample(2, tmp_path / "7.jpg", box=(100, 0, 40, 50)),
        Sample(3, tmp_path / "8.jpg", box=(0, 0, 40, 50)),
    )


def test_average_precision_of_keypoints(data: PersonSet) -> None:
    assert points(data, [answer(0), answer(100), answer(0)]) == pytest.approx(100.0)
    # One of three far off, the least sure: recall 2/3 with precision 1.
    found = points(data, [answer(0), answer(100), answer(500, 0.1)])
    assert found == pytest.approx(100 * 67 / 101)


def test_persons_of_one_image_are_drawn_together(data: PersonSet) -> None:
    answers = [answer(0), answer(100), answer(500, 0.1)]
    found = resampled(
        TASK, data, [Prediction(s.image_id, a) for s, a in zip(data.samples, answers, strict=True)]
    )
    assert found[0] == pytest.approx(100 * 67 / 101)
    # Two images: both of the first, both of the second, one of each.
    assert {round(value, 6) for value in found} == {0.0, 100.0, round(found[0], 6)}


def test_weights_count_images(data: PersonSet) -> None:
    weights = iter([np.ones((1, 3)), np.array([[2.0, 2, 0], [0, 0, 2]])])
    found = weighted(data, [answer(0), answer(100), answer(500, 0.1)], weights)
    np.testing.assert_allclose(found, [100 * 67 / 101, 100, 0])


def test_whole_images_may_hold_any_number_of_persons(data: PersonSet, tmp_path: Path) -> None:
    both = Poses(
        np.concatenate([answer(0).keypoints, answer(100).keypoints]), np.ones(2, np.float32)
    )
    whole = EvaluationSet(
        (Sample(7, tmp_path / "7.jpg"), Sample(8, tmp_path / "8.jpg")), data.annotations
    )
    assert points(whole, [both, answer(0)]) == pytest.approx(100.0)


def test_another_number_of_keypoints_is_told(data: PersonSet) -> None:
    with pytest.raises(StepError, match="finds 2 keypoints of a person, the annotations have 17"):
        points(data, [pose(0, 1)] * 3)


def test_annotations_without_keypoints_are_told(tmp_path: Path) -> None:
    path = write_annotations(tmp_path, [person(1, 7, 0, keypoints=0)])
    settings = CocoPersons(kind="coco_persons", images=tmp_path, annotations=path)
    with pytest.raises(UsageError, match="notes keypoints of no person"):
        open_dataset(settings)
    path.write_text("{}")
    with pytest.raises(UsageError, match="not COCO's keypoints"):
        open_dataset(settings)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=3))
def test_poses_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]]
) -> None:
    rng = np.random.default_rng(0)
    made = [Poses(rng.random((n, k, 3), np.float32), rng.random(n, np.float32)) for n, k in sizes]
    folder = tmp_path_factory.mktemp("predictions")
    write_predictions(folder, [Prediction(i, each) for i, each in enumerate(made)])
    for one, other in zip(made, read_predictions(folder), strict=True):
        np.testing.assert_array_equal(one.scores, other.answer.scores)
        assert one.keypoints.tolist() == other.answer.keypoints.tolist()
