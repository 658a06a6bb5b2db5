"""Models that take images otherwise, or more than an image, all the way to what they answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from PIL import Image

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.cli.main import main
from fqbench.errors import StepError
from fqbench.margins import Margins
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.spec import Int8File
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from fqbench.vision.image import read_image
from tests.support.openvino import needs_openvino
from tests.support.paddle import needs_paddle
from tests.support.tiny_spec import SIZE, classifier, of_bytes, write_spec

pytestmark = pytest.mark.slow

QUICK = MeasurementBudget(
    fewest=1, most=1, per_launch=TimingBudget(warm_up=0.01, rounds=2, fewest=2)
)
RAW = {"preprocess": {"resize": {"kind": "stretch", "size": [SIZE, SIZE]}}}
SIZES = {"size": {"kind": "image_size", "order": "wh"}}


def of_sizes() -> onnx.ModelProto:
    """The tiny classifier, whose answer the size of the image as it was turns round."""
    model = classifier()
    graph = model.graph
    last = graph.node[-1]
    wanted = last.output[0]
    last.output[0] = "logits"
    graph.node.extend(
        [
            helper.make_node("Cast", ["size"], ["s"], "n_s", to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["s"], ["total"], "n_total", keepdims=1),
            helper.make_node("Sub", ["limit", "total"], ["sign"], "n_sign"),
            helper.make_node("Mul", ["logits", "sign"], [wanted], "n_out"),
        ]
    )
    limit = helper.make_tensor("limit", TensorProto.FLOAT, [1, 1], [3.0 * SIZE])
    graph.initializer.append(limit)
    size = helper.make_tensor_value_info("size", TensorProto.INT64, ["n", 2])
    graph.input.append(size)
    return model


def prepared(
    cache: Path, folder: Path, model: onnx.ModelProto | None = None, **changes: object
) -> Model:
    path = write_spec(folder, **changes)
    if model is not None:
        onnx.save(model, str(folder / "tiny.onnx"))
    spec = load_spec(path, folder)
    return Model(spec, check_model(spec), LocalExecutor(Store(cache)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Model:
    """The tiny classifier as it is."""
    return prepared(shared_cache, tmp_path_factory.mktemp("plain"))


def labels(model: Model, precision: str = "fp32", backend: str = "onnxruntime") -> list[int]:
    answers = model.answers(Cell("tiny", backend, "cpu", precision))
    return [each.answer.label for each in answers.predictions]


def scores(model: Model) -> list[list[float]]:
    """What the canonical graph gives for each image that is evaluated."""
    from fqbench.graph.executor import open_session, session_options

    graph = model.made(model.graph.canonical).file("model.onnx")
    session = open_session(graph, session_options(1))
    names = [value.name for value in session.get_inputs()]
    found = []
    for sample in model.images.data.samples:
        feed, _ = model.graph.reading.placed(sample.path)
        found.append(session.run(None, dict(zip(names, feed, strict=True)))[0][0].tolist())
    return found


def test_bytes_channels_last_answer_as_floats_channels_first(
    tmp_path: Path, shared_cache: Path, plain: Model
) -> None:
    own = prepared(shared_cache, tmp_path / "own", of_bytes(), **RAW)
    assert own.graph.notes == ("its input 'pixels' is taken for NHWC, by its shape",)
    np.testing.assert_allclose(scores(own), scores(plain), rtol=1e-4, atol=1e-5)
    assert labels(own) == labels(plain)
    assert labels(own, "int8") == labels(plain, "int8")


def test_notes_stand_in_rows(tmp_path: Path, shared_cache: Path) -> None:
    model = prepared(shared_cache, tmp_path, of_bytes(), **RAW)
    cells = (Cell("tiny", "onnxruntime", "cpu", "fp32"),)
    steps = plan(model.graph, Request(cells, Margins(), budget=QUICK))
    (row,) = run([steps], model.executor).rows
    assert (row.status, row.reason) == ("ok", None)
    assert row.notes == model.graph.notes
    assert row.to_json()["notes"] == list(model.graph.notes)


def test_a_given_int8_file_takes_images_in_its_own_way(tmp_path: Path, shared_cache: Path) -> None:
    folder = tmp_path / "int8"
    write_spec(folder)
    onnx.save(of_bytes(), str(folder / "given.onnx"))
    plain = prepared(shared_cache, tmp_path / "own", of_bytes(), **RAW)
    spec = plain.spec.model_copy(update={"int8": Int8File(model=folder / "given.onnx")})
    both = Model(spec, check_model(spec), plain.executor)
    assert labels(both, "int8_file") == labels(plain)


@pytest.mark.parametrize("backend", ["onnxruntime", pytest.param("openvino", marks=needs_openvino)])
def test_the_size_of_each_image_reaches_the_model(
    tmp_path: Path, shared_cache: Path, plain: Model, backend: str
) -> None:
    """Half of the images are small, and larger ones have the opposite answers."""
    model = prepared(shared_cache, tmp_path, of_sizes(), other_inputs=SIZES)
    for number, sample in enumerate(model.images.data.samples):
        if number % 2:
            with Image.open(sample.path) as image:
                image.resize((2 * SIZE, 2 * SIZE), Image.Resampling.NEAREST).save(sample.path)
    small = np.array(scores(plain))
    sizes = np.array([SIZE if i % 2 == 0 else 2 * SIZE for i in range(len(small))])
    wanted = (small * (3 * SIZE - 2 * sizes)[:, None]).argmax(axis=1)
    assert set(wanted[1::2]) != set(small[1::2].argmax(axis=1))
    assert (np.array(labels(model, backend=backend)) == wanted).mean() > 0.9
    assert (np.array(labels(model, "int8", backend)) == wanted).mean() > 0.7


def test_a_batch_of_four_is_measured_as_one(
    tmp_path: Path, shared_cache: Path, plain: Model
) -> None:
    model = classifier()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    del model.graph.value_info[:]
    found = prepared(shared_cache, tmp_path / "four", model)
    assert labels(found) == labels(plain)
    assert found.graph.notes == (
        "its batch, fixed to 4 in the file, was made 1, and each image checked against the file",
    )


# Sizes that stay open.


def open_width(**changes: object) -> dict[str, object]:
    calibration = {"images": "calibration", "count": 8, "sizes": [[SIZE, SIZE], [SIZE, 2 * SIZE]]}
    return {"free": ["width"], "calibration": calibration, **changes}


def with_open_width() -> onnx.ModelProto:
    model = classifier()
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "w"
    del model.graph.value_info[:]
    return model


def run_at(model: Model, file: Path, width: int) -> list[float]:
    """What the graph in a file gives for an image of this ``width``."""
    from fqbench.graph.executor import open_session, session_options

    reading = model.graph.reading.model_copy(update={"sizes": ((SIZE, width),)}).turn(0)
    feed = reading.feed(read_image(model.images.data.samples[0].path))
    found = open_session(file, session_options(1)).run(None, {"x": feed[0]})
    return list(found[0][0])


def test_a_width_stays_open_in_int8(tmp_path: Path, shared_cache: Path, plain: Model) -> None:
    model = prepared(shared_cache, tmp_path, with_open_width(), **open_width())
    assert labels(model) == labels(plain)
    assert len(labels(model, "int8")) == len(labels(plain))
    lowered = model.made(model.graph.lowered("onnxruntime"))
    assert any(node.op_type == "QuantizeLinear" for node in _graph(lowered.path).node)
    canonical = model.made(model.graph.canonical)
    for width in (SIZE, 2 * SIZE, 3 * SIZE + 4):
        near = run_at(model, canonical.file("model.onnx"), width)
        found = run_at(model, lowered.file("model.onnx"), width)
        np.testing.assert_allclose(found, near, atol=0.1 * np.ptp(near))
    adds = model.made(model.graph.multiply_adds).file("multiply_adds.json").read_text()
    wanted = plain.made(plain.graph.multiply_adds).file("multiply_adds.json").read_text()
    assert adds == wanted


def _graph(folder: Path) -> onnx.GraphProto:
    return onnx.load(str(folder / "model.onnx")).graph


@needs_openvino
def test_a_width_stays_open_in_what_is_converted(tmp_path: Path, shared_cache: Path) -> None:
    """OpenVINO's graph is another one than the canonical, and takes any width as that does."""
    model = prepared(shared_cache, tmp_path, with_open_width(), **open_width())
    canonical = model.made(model.graph.canonical)
    written = [
        model.made(model.graph.fp32("openvino")),
        model.made(model.graph.lowered("openvino")),
    ]
    for width in (SIZE, 3 * SIZE + 4):
        near = run_at(model, canonical.file("model.onnx"), width)
        for made in written:
            found = run_at(model, made.file("model.onnx"), width)
            np.testing.assert_allclose(found, near, atol=0.1 * np.ptp(near))


@needs_paddle
def test_what_has_one_size_is_not_made_of_an_open_one(tmp_path: Path, shared_cache: Path) -> None:
    model = prepared(shared_cache, tmp_path, with_open_width(), **open_width())
    with pytest.raises(StepError) as caught:
        model.made(model.graph.fp32("paddle"))
    assert str(caught.value).endswith(
        "models are made for one size of the image, and the spec leaves its width open: take the"
        " key free out of a spec for Paddle Inference"
    )


# Said at once.


@pytest.mark.parametrize("command", ["run", "compress"])
def test_a_quantized_model_is_told_with_what_to_do(tmp_path, capsys, plain, command) -> None:
    path = write_spec(tmp_path)
    lowered = plain.made(plain.graph.lowered("onnxruntime"))
    shutil.copyfile(lowered.file("model.onnx"), tmp_path / "tiny.onnx")
    arguments = ["run", "--spec", str(path), "--data-root", str(tmp_path)]
    if command == "compress":
        general = {"model_dir": "tiny.onnx", "format": "onnx", "ptq_image_path": "calibration"}
        general["ptq_preprocess"] = "cls_image_preprocess"
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"Global": general}))
        arguments = ["compress", "--config_path", str(tmp_path / "config.yaml"), "--method", "PTQ"]
        arguments += ["--data-root", str(tmp_path), "--save_dir", str(tmp_path / "out")]
    assert main(arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "is quantized already (" in told
    assert "give the float model as model, and this file as int8.model" in told
