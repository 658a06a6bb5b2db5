"""What is deployed takes images as the user's own file does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto
from PIL import Image

from fqbench.artifacts import Store
from fqbench.compress import job as jobs
from fqbench.compress.config import load_config
from fqbench.compress.job import CompressionJob, prepare
from fqbench.compress.make import make
from fqbench.compress.method import compression_method
from fqbench.compress.report import Report
from fqbench.errors import UsageError
from fqbench.steps.executor import LocalExecutor
from tests.support.paddle import needs_paddle
from tests.support.tiny_config import MISSING, write_config
from tests.support.tiny_spec import SIZE, of_bytes

RAW = {
    "Global.input_list": MISSING,
    "Global.ptq_preprocess": {"resize": {"kind": "stretch", "size": [SIZE, SIZE]}},
}


def job_of(folder: Path, cache: Path, model: onnx.ModelProto, **changes: object) -> CompressionJob:
    path = write_config(folder, {**RAW, **changes})
    onnx.save(model, str(folder / "tiny.onnx"))
    executor = LocalExecutor(Store(cache))
    return prepare(load_config(path), compression_method("PTQ"), folder, executor)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[CompressionJob]:
    with pytest.MonkeyPatch.context() as patch:
        # Whether layers this small are faster in INT8 is chance.
        patch.setattr(jobs, "_given_up", lambda config: [{"speed": "assumed"}])
        yield job_of(tmp_path_factory.mktemp("bytes"), shared_cache, of_bytes())


@pytest.mark.slow
def test_the_file_for_onnxruntime_takes_bytes_channels_last(job, tmp_path: Path) -> None:
    made = make(job, "onnxruntime", tmp_path)
    assert made.reason is None
    assert made.int8_layers == 2  # The config quantizes convolutions.
    (file,) = made.files
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    assert (value.name, value.type, value.shape) == ("pixels", "tensor(uint8)", [1, SIZE, SIZE, 3])
    float_session = ort.InferenceSession(
        of_bytes().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for path in sorted((job.spec.calibration.images).iterdir())[:4]:
        image = {"pixels": np.asarray(Image.open(path))[None]}
        wanted, found = float_session.run(None, image)[0], session.run(None, image)[0]
        assert 0 < np.abs(wanted - found).max() < 0.1 * np.ptp(wanted)


@pytest.mark.slow
def test_the_report_says_what_was_made_of_the_file(job, tmp_path: Path) -> None:
    loaded = load_config(job.spec.model.parent / "config.yaml")
    report = Report.now(loaded, job, [make(job, "onnxruntime", tmp_path)])
    assert "The model: its input 'pixels' is taken for NHWC, by its shape." in report.notes()
    assert not [note for note in report.notes() if "takes the image as float32" in note]


@needs_paddle
@pytest.mark.slow
def test_paddles_program_takes_floats_and_the_report_says_so(job, tmp_path: Path) -> None:
    loaded = load_config(job.spec.model.parent / "config.yaml")
    made = make(job, "paddle", tmp_path)
    assert made.reason is None
    notes = Report.now(loaded, job, [made]).notes()
    assert (
        "Paddle Inference: its model takes the image as float32, batch, channels, height, width,"
        " and not as the model's file does."
    ) in notes


@pytest.mark.slow
def test_other_inputs_are_filled_by_the_config(tmp_path: Path, shared_cache: Path) -> None:
    model = of_bytes()
    size = onnx.helper.make_tensor_value_info("size", TensorProto.INT64, [1, 2])
    model.graph.input.append(size)
    with pytest.raises(UsageError) as caught:
        job_of(tmp_path / "none", shared_cache, model)
    assert "nothing fills the input 'size' (int64 [1, 2]): set the key other_inputs.size" in str(
        caught.value
    )
    fill = {"size": {"kind": "input_size"}}
    job = job_of(tmp_path / "filled", shared_cache, model, **{"Global.other_inputs": fill})
    assert job.graphs[0].reading.inputs == ("pixels",)
    notes = Report.now(load_config(tmp_path / "filled/config.yaml"), job, []).markdown()
    assert "The model: its input 'pixels' is taken for NHWC, by its shape." in notes
    assert "its input 'size' was made a constant" in notes
    assert "filled: size" in notes
