"""Detectors that end in non-maximum suppression of their own, as PaddleDetection exports them."""

import numpy as np
import onnxruntime
import pytest

from fqbench.errors import UsageError
from fqbench.isolate.parent import _run, _Watch
from fqbench.spec import (
    Calibration,
    Folder,
    ModelSpec,
    Preprocess,
    Stretch,
)
from fqbench.spec.check import check_model, compare
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.settings import PPYoloe, YoloV5
from tests.support.jobs import perform
from tests.support.paddle import require_paddle

ATTRIBUTES = {"score_threshold": 0.05, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    require_paddle()
    path = tmp_path_factory.mktemp("detector")
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32))
    np.save(path / "image.npy", image.astype(np.float32))
    # The child looks for modules where this process does: the root of the repository.
    _run(
        "tests.support.paddle_nms:write_detector",
        {"folder": str(path), "attributes": ATTRIBUTES},
        {},
        _Watch("the test", timeout_s=120),
    )
    return path


def spec(folder, decode):
    return ModelSpec(
        name="detector",
        task="detection" if not isinstance(decode, Logits) else "classification",
        model=folder / "model.pdmodel",
        params=folder / "model.pdiparams",
        preprocess=Preprocess(resize=Stretch(kind="stretch", size=(32, 32))),
        decode=decode,
        dataset=Folder(kind="folder", images=folder),
        calibration=Calibration(images=folder),
    )


@pytest.mark.slow
def test_its_settings_are_those_of_the_file(folder):
    facts = check_model(spec(folder, PPYoloe(kind="ppyoloe", score=0.3, iou=0.9)))
    assert facts.decode.score == pytest.approx(0.05)
    assert facts.decode.iou == pytest.approx(0.5)
    assert facts.decode.max_boxes == 7
    assert facts.inputs == ("image", "scale_factor")


@pytest.mark.slow
def test_the_graph_ends_before_it(folder, tmp_path):
    source = [str(folder / f"model.{suffix}") for suffix in ("pdmodel", "pdiparams")]
    perform("canonical", tmp_path, source=source, input_shape=[1, 3, 32, 32])
    session = onnxruntime.InferenceSession(
        str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    feed = {"image": np.load(folder / "image.npy"), "scale_factor": np.full((1, 2), 0.5, "f4")}
    boxes, scores = session.run(None, feed)
    np.testing.assert_allclose(boxes, np.load(folder / "boxes.npy"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores, np.load(folder / "scores.npy"), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_another_decoder_does_not_expect_it(folder):
    with pytest.raises(UsageError, match="ends in non-maximum suppression"):
        compare(
            spec(folder, YoloV5(kind="yolov5")),
            {"image": [1, 3, 32, 32]},
            {"out": [1, 16, 85]},
            {"score": 0.05},
        )


@pytest.mark.slow
def test_settings_that_make_no_sense_are_refused(folder):
    with pytest.raises(UsageError, match=r"make no sense: \{'iou': 7.0\}"):
        compare(
            spec(folder, PPYoloe(kind="ppyoloe")),
            {"image": [1, 3, 32, 32]},
            {"rows": [-1, 6], "count": [1]},
            {"iou": 7.0},
        )
