from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench import zoo
from fqbench.errors import UsageError
from fqbench.spec import ModelSpec
from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection.answers import Detections
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import prepare
from fqbench.zoo import digits, png


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name in zoo.embedded_names():
        made[name] = tmp_path_factory.mktemp(name)
        zoo.materialize(name, made[name])
    return made


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _digits(parts: digits.Digits) -> set[bytes]:
    return {image.tobytes() for image in parts.images}


def test_png_of_a_red_and_a_blue_pixel() -> None:
    pixels = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    assert png.encode(pixels).hex() == (
        "89504e470d0a1a0a"
        "0000000d49484452000000020000000108020000007b40e8dd"
        "0000001249444154" + "7801" + "010700f8ff" + "00ff00000000ff" + "070001ff" + "5536bac7"
        "0000000049454e44ae426082"
    )


def test_png_of_several_stored_blocks_decodes_to_the_same_pixels(tmp_path: Path) -> None:
    pixels = np.arange(200 * 130 * 3, dtype=np.uint32).reshape(200, 130, 3).astype(np.uint8)
    (tmp_path / "large.png").write_bytes(png.encode(pixels))
    np.testing.assert_array_equal(read_image(tmp_path / "large.png"), pixels)


def test_digits_are_those_of_scikit_learn() -> None:
    # Where it is installed: PaddleSlim requires it.
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    images, labels = datasets.load_digits(return_X_y=True)
    parts = digits.train_digits(), digits.evaluation_digits()
    np.testing.assert_array_equal(
        np.concatenate([p.images for p in parts]) * 16, images.reshape(-1, 8, 8)
    )
    np.testing.assert_array_equal(np.concatenate([p.labels for p in parts]), labels)


def test_no_digit_is_in_both_parts() -> None:
    train, evaluation = digits.train_digits(), digits.evaluation_digits()
    assert (len(train.labels), len(evaluation.labels)) == (1297, 500)
    assert not _digits(train) & _digits(evaluation)


def test_enlarging_twice_keeps_a_lone_pixel_in_its_place() -> None:
    digit = np.zeros((8, 8))
    digit[3, 4] = 1
    twice = digits.enlarge(digit, 16, 16)
    assert np.argwhere(twice).tolist() == [[6, 8], [6, 9], [7, 8], [7, 9]]
    # 0.75 * 0.75 of the ink, less 0.2, times 1.8
    assert twice[7, 8] == pytest.approx(0.6525)


def test_slant_moves_the_upper_rows_left_and_the_lower_right() -> None:
    digit = np.zeros((8, 8))
    digit[:, 4] = 1
    columns = digits.enlarge(digit, 8, 8, slant=-0.5).argmax(axis=1)
    assert columns[0] < columns[3] < columns[7]


def test_pixels_are_the_same_on_every_machine() -> None:
    known = digits.evaluation_digits()
    portrait = digits.portrait(digits.generator(1797, 0, 0), known.images[0])
    scene = digits.scene(digits.generator(1797, 2, 0), known)
    assert portrait[0, 0].tolist() == [61, 105, 56]
    assert _sha(portrait.tobytes()) == "f07c2ed091c3c0af"
    assert _sha(scene.pixels.tobytes()) == "ef9332a5652fb406"
    assert scene.labels.tolist() == [4, 5, 3, 1, 3, 6, 5]
    assert scene.boxes[0].tolist() == [32, 35, 47, 55]


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_boxes_of_a_scene_lie_inside_and_apart(seed: int) -> None:
    scene = digits.scene(digits.generator(seed), digits.train_digits())
    height, width, _ = scene.pixels.shape
    assert max(height, width) == 160
    assert min(height, width) >= 112
    taken = np.zeros((height, width), int)
    for x, y, w, h in scene.boxes:
        assert min(x, y) >= 0
        assert min(w, h) > 0
        taken[y : y + h, x : x + w] += 1
        assert x + w <= width
        assert y + h <= height
    assert taken.max(initial=0) <= 1
    assert len(scene.labels) == len(scene.boxes) >= 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 1296))
@settings(deadline=None, max_examples=30)
def test_a_portrait_shows_its_digit(seed: int, index: int) -> None:
    known = digits.train_digits()
    with_ink = digits.portrait(digits.generator(seed), known.images[index])
    without = digits.portrait(digits.generator(seed), np.zeros((8, 8)))
    changed = np.argwhere((with_ink != without).any(axis=2))
    assert len(changed) > 50
    # The middle 64 of 72 pixels is what the classifier sees.
    assert changed.min() >= 4
    assert changed.max() < 68


def test_materialize_writes_what_the_spec_names(folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        spec = zoo.spec(name, folder)
        assert spec.name == name
        assert spec.model.is_file()
        assert len(list(spec.calibration.images.glob("*.png"))) == spec.calibration.count == 64


@pytest.mark.slow
def test_materialize_writes_the_same_bytes_again(folders: dict[str, Path], tmp_path: Path) -> None:
    name = "digits_yolov5"
    zoo.materialize(name, tmp_path)
    for file in ("annotations.json", "images/0099.png", "calibration/0063.png"):
        assert (tmp_path / file).read_bytes() == (folders[name] / file).read_bytes()


def test_list_names_every_image_once_with_every_class(folders: dict[str, Path]) -> None:
    folder = folders["digits_mobilenet_v1"]
    rows = [line.split() for line in (folder / "labels.txt").read_text().splitlines()]
    assert sorted(row[0] for row in rows) == sorted(p.name for p in (folder / "images").iterdir())
    assert len(rows) == 500
    assert {int(row[1]) for row in rows} == set(range(10))


def test_annotations_fit_their_images(folders: dict[str, Path]) -> None:
    folder = folders["digits_yolov5"]
    coco = json.loads((folder / "annotations.json").read_text())
    shapes = {}
    for image in coco["images"]:
        pixels = read_image(folder / "images" / image["file_name"])
        assert pixels.shape == (image["height"], image["width"], 3)
        shapes[image["id"]] = pixels.shape
    assert len(shapes) == 100
    assert {a["image_id"] for a in coco["annotations"]} == set(shapes)
    assert [c["name"] for c in coco["categories"]] == list("0123456789")
    assert {a["category_id"] for a in coco["annotations"]} == {c["id"] for c in coco["categories"]}


def test_unknown_name_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no embedded model 'lenet', expected one of digits_"):
        zoo.materialize("lenet", tmp_path)


def test_weights_are_small() -> None:
    weights = [zoo.spec(name, Path()).model for name in zoo.embedded_names()]
    assert sum(file.stat().st_size for file in weights) <= 4_000_000


def _answers(spec: ModelSpec, files: list[str]) -> list[Any]:
    """What the FP32 model says about images, by the package's own preprocessing and decoding."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(spec.model, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    assert tuple(entry.shape) == spec.input_shape
    assert len(session.get_outputs()) == 1
    decode = decoder(spec.decode, spec.preprocess.resize.output)
    answers = []
    for file in files:
        prepared = prepare(read_image(spec.dataset.images / file), spec.preprocess)
        outputs = session.run(None, {entry.name: prepared.tensor})
        answers.append(decode(outputs, prepared.geometry))
    return answers


def test_classifier_knows_most_digits(folders: dict[str, Path]) -> None:
    spec = zoo.spec("digits_mobilenet_v1", folders["digits_mobilenet_v1"])
    rows = [line.split() for line in spec.dataset.list.read_text().splitlines()[:100]]
    answers = _answers(spec, [file for file, _ in rows])
    labels = [int(label) for _, label in rows]
    right = sum(each.label == label for each, label in zip(answers, labels, strict=True))
    assert right >= 94


def _found(answer: Detections, box: list[int], label: int) -> bool:
    """Whether a detection of the label, sure by a quarter, overlaps the box by half."""
    x, y, w, h = box
    of_label = (answer.scores >= 0.25) & (answer.labels == label)
    x1, y1, x2, y2 = answer.boxes[of_label].T
    wide = np.clip(np.minimum(x2, x + w) - np.maximum(x1, x), 0, None)
    high = np.clip(np.minimum(y2, y + h) - np.maximum(y1, y), 0, None)
    common = wide * high
    return bool((common >= 0.5 * ((x2 - x1) * (y2 - y1) + w * h - common)).any())


def test_detector_finds_most_digits(folders: dict[str, Path]) -> None:
    spec = zoo.spec("digits_yolov5", folders["digits_yolov5"])
    coco = json.loads(spec.dataset.annotations.read_text())
    images = coco["images"][:20]
    answers = _answers(spec, [image["file_name"] for image in images])
    hits = [
        _found(answer, truth["bbox"], truth["category_id"] - 1)
        for image, answer in zip(images, answers, strict=True)
        for truth in coco["annotations"]
        if truth["image_id"] == image["id"]
    ]
    assert len(hits) > 80
    assert sum(hits) / len(hits) >= 0.85
