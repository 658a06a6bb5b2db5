"""What the six published models see of an image, and make of their output, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection.answers import Detections
from fqbench.vision.geometry import Geometry
from fqbench.vision.inputs import model_inputs
from fqbench.vision.preprocess import Prepared, prepare
from fqbench.zoo.processing import PROCESSING

YOLO = ("yolov5s", "yolov6s", "yolov7")
PPYOLOE = "ppyoloe_crn_l_300e_coco"
CLASSIFIERS = ("resnet50_vd", "mobilenet_v1_ssld")
SAME = Geometry((640, 640), (1.0, 1.0), (0.0, 0.0))


def _prepared(name: str, height: int, width: int, color: tuple[int, ...]) -> Prepared:
    image = np.broadcast_to(np.array(color, np.uint8), (height, width, 3))
    return prepare(image, PROCESSING[name].preprocess)


def _answer(name: str, *outputs: Any) -> Any:
    """Of a model whose input is 640x640 as the image."""
    arrays = [np.array(output, np.float32) for output in outputs]
    return decoder(PROCESSING[name].decode, (640, 640))(arrays, SAME)


def test_they_are_six() -> None:
    assert set(PROCESSING) == {*YOLO, PPYOLOE, *CLASSIFIERS}


@pytest.mark.parametrize("name", YOLO)
def test_yolo_sees_a_letterbox_of_0_to_1(name: str) -> None:
    # A quarter of the input, enlarged: rows 160 to 479.
    tensor = _prepared(name, 160, 320, (0, 51, 255)).tensor
    assert tensor.shape == (1, 3, 640, 640)
    np.testing.assert_allclose(tensor[0, :, 159, 0], [114 / 255] * 3, rtol=1e-6)
    np.testing.assert_allclose(tensor[0, :, 160, 0], [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_allclose(tensor[0, :, 479, 639], [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_allclose(tensor[0, :, 480, 639], [114 / 255] * 3, rtol=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("yolov5s", 1.0), ("yolov6s", 1 / 9)])
def test_yolov6_shrinks_by_area(name: str, expected: float) -> None:
    # Of each block of 3x3 pixels the one in the middle is white.
    image = np.zeros((1920, 1920, 3), np.uint8)
    image[1::3, 1::3] = 255
    tensor = prepare(image, PROCESSING[name].preprocess).tensor
    # 255 / 9 is rounded to a whole pixel value.
    np.testing.assert_allclose(tensor, expected, atol=0.5 / 255)


@pytest.mark.parametrize(
    ("name", "labels"), [("yolov5s", [0, 2]), ("yolov6s", [0]), ("yolov7", [0])]
)
def test_yolo_takes_several_classes_or_the_best(name: str, labels: list[int]) -> None:
    found = _answer(name, [[[320, 320, 20, 40, 0.5, 0.8, 0.001, 0.1]]])
    assert found.labels.tolist() == labels
    assert found.boxes[0].tolist() == [310, 300, 330, 340]
    np.testing.assert_allclose(found.scores, [0.4, 0.05][: len(labels)], rtol=1e-6)


@pytest.mark.parametrize("name", YOLO)
def test_yolo_suppresses_above_an_iou_of_065(name: str) -> None:
    # 100 wide: moved by 21 the IoU is 79/121 = 0.653, by 22 it is 78/122 = 0.639.
    rows = [[100 + x, 100, 100, 100, 1, 0.9 - x / 100] for x in (0, 21, 22)]
    assert _answer(name, [rows]).boxes[:, 0].tolist() == [50, 72]


@pytest.mark.parametrize("name", YOLO)
def test_yolo_keeps_300_boxes(name: str) -> None:
    rows = [[30 * (i % 20) + 15, 30 * (i // 20) + 15, 20, 20, 1, 0.5] for i in range(400)]
    assert len(_answer(name, [rows]).scores) == 300


def test_ppyoloe_sees_a_stretched_image_and_its_scale() -> None:
    prepared = _prepared(PPYOLOE, 320, 1280, (124, 116, 104))
    image, scale = model_inputs(prepared, ["image", "scale_factor"])
    assert image.shape == (1, 3, 640, 640)
    # (124 / 255 - 0.485) / 0.229 and so on.
    for y, x in ((0, 0), (639, 639)):
        expected = [0.005566, -0.004902, 0.008192]
        np.testing.assert_allclose(image[0, :, y, x], expected, atol=1e-5)
    assert scale.tolist() == [[2.0, 0.5]]


def test_ppyoloe_is_resized_by_bicubic() -> None:
    # Twice the width: centres lie 0.25 and 0.75 of a pixel beside the source's.
    image = np.zeros((640, 320, 3), np.uint8)
    image[:, 160:] = 255
    red = prepare(image, PROCESSING[PPYOLOE].preprocess).tensor[0, 0, 0]
    pixels = np.rint((red * 0.229 + 0.485) * 255).astype(int)
    # The kernel at 0.75 and 1.75: 0.2617 - 0.0352 of 255 is 58; at 1.25: -0.1055, cut at 0.
    assert pixels[316:324].tolist() == [0, 0, 0, 58, 197, 255, 255, 255]


def test_ppyoloe_counts_from_a_score_of_001_and_keeps_100() -> None:
    boxes = [
        [30 * (i % 20), 30 * (i // 20), 30 * (i % 20) + 20, 30 * (i // 20) + 20] for i in range(200)
    ]
    scores = np.full((1, 2, 200), 0.01)
    scores[0, 0, :80] = 0.02
    assert len(_answer(PPYOLOE, [boxes], scores).scores) == 80
    scores[0, 1, :80] = 0.03
    found = _answer(PPYOLOE, [boxes], scores)
    # The same place twice, of two classes.
    assert found.labels.tolist() == [1] * 80 + [0] * 20


def test_ppyoloe_suppresses_above_an_iou_of_06() -> None:
    # 100 wide: moved by 24 the IoU is 76/124 = 0.613, by 26 it is 74/126 = 0.587.
    boxes = [[x, 0, 100 + x, 100] for x in (0, 24, 26)]
    found = _answer(PPYOLOE, [boxes], [[[0.9, 0.8, 0.7]]])
    assert found.boxes[:, 0].tolist() == [0, 26]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_sees_the_centre_normalized(name: str) -> None:
    image = np.zeros((333, 501, 3), np.uint8)
    image[:, 250:] = 255
    prepared = prepare(image, PROCESSING[name].preprocess)
    assert prepared.tensor.shape == (1, 3, 224, 224)
    # -0.485 / 0.229 and so on; (1 - 0.485) / 0.229 and so on.
    np.testing.assert_allclose(
        prepared.tensor[0, :, 0, 0], [-2.117904, -2.035714, -1.804444], rtol=1e-6
    )
    np.testing.assert_allclose(
        prepared.tensor[0, :, 223, 223], [2.248908, 2.428571, 2.64], rtol=1e-6
    )
    # 250 * 385 / 501 - 80 = 112.1: there the bright half begins.
    assert prepared.tensor[0, 0, 100, 111] < -2
    assert prepared.tensor[0, 0, 100, 113] > 2


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_names_the_greatest(name: str) -> None:
    answer = _answer(name, [[0.1, 0.7, 0.2]])
    assert not isinstance(answer, Detections)
    assert (answer.label, answer.probability) == (1, pytest.approx(0.7))
