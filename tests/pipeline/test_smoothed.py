"""Calibration of a transformer: of the graph with evened channels, which is held to the source."""

import onnx
import pytest

from fqbench.convert.canonical import canonicalize
from fqbench.errors import StepError
from fqbench.quantize import smoothing
from fqbench.quantize.record import Quantization
from tests.support.jobs import do
from tests.support.tiny_spec import CALIBRATING, SIZE, write_spec
from tests.support.transformers import Transformer


@pytest.fixture
def calibrate(tmp_path):
    """A function that calibrates a transformer, and returns the folder of the result."""
    write_spec(tmp_path / "project")
    net = Transformer(depth=1, side=SIZE)
    (tmp_path / "canonical").mkdir()
    canonical = canonicalize(net.model(), (1, 3, SIZE, SIZE))
    onnx.save(canonical, str(tmp_path / "canonical" / "model.onnx"))
    folder = tmp_path / "calibrated"
    folder.mkdir()

    def step():
        do(
            "calibrate",
            folder,
            canonical=tmp_path / "canonical",
            images=sorted((tmp_path / "project" / "calibration").iterdir()),
            reading={
                "preprocess": {
                    "resize": {"kind": "stretch", "size": [SIZE, SIZE]},
                    "mean": [127.5],
                    "std": [127.5],
                },
                "inputs": ["x"],
            },
            offline={"algorithm": "mse"},
            cpu="here",
            probes=None,
        )
        return canonical, folder

    return step


def test_ranges_are_of_the_graph_with_evened_channels(calibrate):
    canonical, folder = calibrate()
    smoothed = onnx.load(str(folder / "model.onnx"))
    assert smoothed != canonical
    record = Quantization.read(folder / "quantization.json")
    assert record.images == CALIBRATING
    assert len(record.weights) == 6
    assert record.float_layers == {}
    names = [constant.name for constant in smoothed.graph.initializer]
    # Gain and offset of three norms.
    assert sum("__smoothed_" in name for name in names) == 6


def test_a_graph_that_computes_something_else_is_refused(calibrate, monkeypatch):
    monkeypatch.setattr(smoothing, "_scale_weights", lambda *_: None)
    with pytest.raises(StepError, match="the graph with evened channels computes something else"):
        calibrate()
