from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from fqbench.data import open_dataset
from fqbench.errors import StepError, UsageError
from fqbench.measure.prediction import Prediction, read_predictions, write_predictions
from fqbench.tasks.decoding import decoder
from fqbench.tasks.segmentation.answers import CLASS_MAP, ClassMap
from fqbench.tasks.segmentation.dataset import LabelMaps, MappedSet
from fqbench.tasks.segmentation.decode import Semantic
from fqbench.tasks.segmentation.disagreement import disagreement
from fqbench.tasks.segmentation.metric import mean_iou, overlaps, points, weighted
from fqbench.vision.geometry import Geometry

SIZE = (8, 8)
SAME = Geometry(SIZE, (1.0, 1.0), (0.0, 0.0))


def read(output: np.ndarray, geometry: Geometry = SAME) -> list[list[int]]:
    answer = decoder(Semantic(kind="semantic"), SIZE)([output], geometry)
    assert isinstance(answer, ClassMap)
    assert answer.labels.dtype == np.uint16
    labels: list[list[int]] = answer.labels.tolist()
    return labels


def scores(ones: Any) -> np.ndarray:
    """Scores of class 1; class 0 has 0.5 everywhere."""
    ones = np.asarray(ones, np.float32)
    return np.stack([np.full_like(ones, 0.5), ones])[None]


def test_scores_of_a_stride_are_interpolated_at_each_pixel() -> None:
    # Places at 3.5 and 7.5 pixels... of stride 4: centres of columns are at 2 and 6.
    found = read(scores([[0.0, 1.0], [0.0, 1.0]]))
    # 0.5 is passed in the middle between the centres, at 4.
    assert found == [[0, 0, 0, 0, 1, 1, 1, 1]] * 8


def test_scores_are_not_taken_from_the_nearest_place() -> None:
    found = read(scores([[0.4, 1.0], [0.4, 1.0]]))
    # A sixth of the way from 2 to 6: at 2.67, so before the pixel whose centre is at 3.5.
    assert found == [[0, 0, 0, 1, 1, 1, 1, 1]] * 8


def test_classes_are_taken_from_the_nearest_place() -> None:
    expected = [[3] * 4 + [5] * 4] * 8
    for shape in ((1, 2, 2), (1, 1, 2, 2)):
        assert read(np.array([[3, 5], [3, 5]]).reshape(shape)) == expected


def test_the_map_is_that_of_the_image() -> None:
    # An image of 4x2 pixels, enlarged twice, two columns of padding on both sides.
    geometry = Geometry((4, 2), (2.0, 2.0), (0.0, 2.0))
    output = np.zeros((1, 8, 8), np.int64)
    output[0, :, 4:] = 7
    output[0, :2, :4] = 9
    assert read(output, geometry) == [[9, 7], [0, 7], [0, 7], [0, 7]]


@pytest.mark.parametrize("shape", [(1, 2, 3, 7), (2, 2, 8, 8), (8, 8), (1, 0, 0)])
def test_a_wrong_shape_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(StepError, match="expected one output \\[1, classes, h, w\\] of scores"):
        read(np.zeros(shape, np.float32))


def test_nan_is_an_error() -> None:
    with pytest.raises(StepError, match="holds NaN"):
        read(np.full((1, 2, 8, 8), np.nan, np.float32))


TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 255]])
FOUND = np.array([[0, 1, 1, 1], [0, 0, 2, 2]])


def test_mean_iou_by_hand() -> None:
    counts = overlaps([(TRUTH, FOUND)], 255)
    # Class 0: 3 of 4; class 1: 2 in both, 4 in either; class 2: none of 1.
    assert counts.tolist() == [[[3, 2, 0], [4, 4, 1]]]
    assert float(mean_iou(counts.sum(axis=0))) == pytest.approx((3 / 4 + 2 / 4 + 0) / 3)


def test_a_class_that_nobody_has_does_not_count() -> None:
    counts = overlaps([(np.array([[0, 4]]), np.array([[0, 4]]))])
    assert float(mean_iou(counts.sum(axis=0))) == 1.0
    assert float(mean_iou(np.zeros((2, 3)))) == 0.0


def test_disagreement_by_hand() -> None:
    one, other = ClassMap(np.array([[0, 0, 1, 1]])), ClassMap(np.array([[0, 1, 1, 1]]))
    assert disagreement([one], [one]) == 0.0
    assert disagreement([one], [other]) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    assert disagreement([one], [ClassMap(np.array([[2, 2, 2, 2]]))]) == 1.0


def test_a_speck_of_another_class_is_no_class_lost() -> None:
    """Two of 20000 pixels, of which FP32 saw class 2 in one image: a fiftieth of a class."""
    maps = np.zeros((2, 100, 100), np.uint16)
    maps[:, 50:] = 1
    wanted, found = [ClassMap(each.copy()) for each in maps], [ClassMap(each) for each in maps]
    wanted[0].labels[0, :2] = 2
    # IoU of 9998 of 10000 pixels, 1 and 0, of weights 1, 1 and 2 / (0.01 * 10000).
    assert disagreement(wanted, found) == pytest.approx(1 - (0.9998 + 1.0) / 2.02)
    wanted[0].labels[0, :100] = 2  # a whole one
    assert disagreement(wanted, found) == pytest.approx(1 - (0.99 + 1.0) / 3)


@pytest.fixture
def data(tmp_path: Path) -> MappedSet:
    for name in ("images", "maps"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 255, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.jpg")
        labels = rng.integers(0, 3, (6, 5), dtype=np.uint8)
        labels[0, 0] = 255
        Image.fromarray(labels).save(tmp_path / f"maps/{number}.png")
    Image.fromarray(pixels).save(tmp_path / "images/unlabelled.jpg")
    settings = LabelMaps(
        kind="label_maps", images=tmp_path / "images", maps=tmp_path / "maps", start=1
    )
    found = open_dataset(settings)
    assert isinstance(found, MappedSet)
    return found


def random_answers(count: int) -> list[ClassMap]:
    rng = np.random.default_rng(1)
    return [ClassMap(rng.integers(0, 3, (6, 5)).astype(np.uint16)) for _ in range(count)]


def test_images_with_a_map_are_listed(data: MappedSet) -> None:
    assert [sample.path.name for sample in data.samples] == ["1.jpg", "2.jpg", "3.jpg"]
    assert [path.name for path in data.truth] == ["1.png", "2.png", "3.png"]


def test_weights_of_one_are_all_images(data: MappedSet) -> None:
    answers = random_answers(3)
    plain = points(data, answers)
    assert 0 < plain < 100
    blocks = iter([np.ones((1, 3)), np.array([[2.0, 0, 0], [1, 0, 0]])])
    found = weighted(data, answers, blocks)
    assert found[0] == pytest.approx(plain)
    # The same image twice is that image.
    assert found[1] == pytest.approx(found[2])


def test_a_map_of_another_size_is_told(data: MappedSet) -> None:
    with pytest.raises(StepError, match=r"1\.png has 5x6 pixels, its image 3x2"):
        points(data, [ClassMap(np.zeros((2, 3), np.uint16))] * 3)


def test_maps_of_colours_and_maps_without_images_are_told(data: MappedSet, tmp_path: Path) -> None:
    Image.new("RGB", (5, 6)).save(tmp_path / "maps/1.png")
    with pytest.raises(UsageError, match="an image of mode RGB, expected a class of 0 to 255"):
        points(data, random_answers(3))
    Image.new("L", (5, 6)).save(tmp_path / "maps/nobody.png")
    settings = LabelMaps(kind="label_maps", images=tmp_path / "images", maps=tmp_path / "maps")
    with pytest.raises(UsageError, match=r"1 of 5 maps \(\.png\) in .* have no image"):
        open_dataset(settings)


@settings(deadline=None)
@given(
    st.lists(
        hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 3)),
        min_size=1,
        max_size=3,
    )
)
def test_maps_survive_the_file(tmp_path_factory: pytest.TempPathFactory, maps: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("predictions")
    write_predictions(folder, [Prediction(i, ClassMap(each)) for i, each in enumerate(maps)])
    found = read_predictions(folder)
    assert [p.answer.labels.tolist() for p in found] == [each.tolist() for each in maps]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 2), np.float32), "a map of shape"),
        (np.zeros(2, np.int64), r"a map of shape \[2\]"),
        (np.full((2, 2), -1), "classes that are not 0 to 65535"),
    ],
)
def test_a_malformed_answer_is_told(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLASS_MAP.checked(ClassMap(labels))
