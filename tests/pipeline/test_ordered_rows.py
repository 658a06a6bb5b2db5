"""Networks that end in their best rows are judged by what the rows are chosen from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from PIL import Image

from fqbench.artifacts import Store
from fqbench.backends.onnxruntime.lower import lower
from fqbench.cells import Cell
from fqbench.measure.agreement import agreement
from fqbench.pipeline.model import Model
from fqbench.pipeline.steps.unordered import UNORDERED, unordered_folders, write_unordered
from fqbench.quantize.calibrate import calibrate
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from fqbench.verify.conversion import graph_runner
from tests.support.best_rows import SIDE, best_rows
from tests.support.openvino import needs_openvino
from tests.support.paddle import needs_paddle


def written(folder: Path, name: str, model: onnx.ModelProto) -> Path:
    (folder / name).mkdir()
    onnx.save(model, str(folder / name / "model.onnx"))
    return folder / name


def alike(fp32: Path, int8: Path, image: np.ndarray) -> float:
    runs = (graph_runner(folder / "model.onnx", optimized=True) for folder in (fp32, int8))
    return agreement(*(run([image]) for run in runs))


def test_rows_are_compared_before_they_are_put_in_order(tmp_path: Path) -> None:
    net, model = best_rows()
    image = net.image()
    form = lower(model, calibrate(model, [[image]], "abs_max", ()))
    folders = written(tmp_path, "fp32", model), written(tmp_path, "int8", form)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    # Nearly all of the rows are right, and few of them in their place.
    assert alike(*folders, image) < 0.6
    assert alike(*unordered_folders(*folders, scratch), image) > 0.99


def test_what_is_in_no_order_is_compared_itself(tmp_path: Path) -> None:
    net, _ = best_rows()
    model = net.model("columns")
    folders = written(tmp_path, "fp32", model), written(tmp_path, "int8", model)
    assert unordered_folders(*folders, tmp_path) == folders
    (folders[1] / "model.onnx").unlink()
    assert unordered_folders(*folders, tmp_path) == folders


def test_what_cannot_be_cut_is_written_as_it_is_before_rows_are_in_order(tmp_path: Path) -> None:
    net, model = best_rows()
    folders = tmp_path / "fp32", tmp_path / "int8"
    for folder in folders:
        folder.mkdir()
        write_unordered(net.model("columns"), lambda *_: pytest.fail("it has no order"), folder)
        (folder / "program").touch()
        assert unordered_folders(*folders, tmp_path) == folders
        write_unordered(model, lambda of, place: onnx.save(of, place / "cut.onnx"), folder)
    found = unordered_folders(*folders, tmp_path)
    assert found == tuple(folder / UNORDERED for folder in folders)
    cut = onnx.load(found[1] / "cut.onnx")
    assert "TopK" in {node.op_type for node in model.graph.node}
    assert "TopK" not in {node.op_type for node in cut.graph.node}


def test_an_onnx_graph_is_not_written_twice(tmp_path: Path) -> None:
    _, model = best_rows()
    folder = written(tmp_path, "fp32", model)
    write_unordered(model, lambda *_: pytest.fail("it can be cut"), folder)
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [
        "onnxruntime",
        pytest.param("openvino", marks=needs_openvino),
        pytest.param("paddle", marks=needs_paddle),
    ],
)
def test_agreement_is_that_of_the_network_without_its_head(tmp_path: Path, backend: str) -> None:
    net, model = best_rows()
    found = {}
    for name, graph, kind in (
        ("rows", model, "yolov10"),
        ("columns", net.model("columns"), "none"),
    ):
        onnx.save(graph, str(tmp_path / f"{name}.onnx"))
        spec = load_spec(spec_file(tmp_path, name, kind), None)
        pipeline = Model(spec, check_model(spec), LocalExecutor(Store(tmp_path / "store")))
        found[name] = pipeline.agreement(Cell(name, backend, "cpu", "int8"))
    assert found["rows"].int8_convolutions > 0
    assert found["rows"].value == pytest.approx(found["columns"].value, abs=5e-4)
    assert found["rows"].value > 0.99


def spec_file(folder: Path, name: str, kind: str) -> Path:
    """A spec of ``NAME.onnx``, with its images."""
    images = folder / "images"
    images.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(4):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE)).save(images / f"{number}.png")
    content = {
        "name": name,
        "task": "detection",
        "model": f"{name}.onnx",
        "preprocess": {
            "resize": {"kind": "stretch", "size": [SIDE, SIDE]},
            "mean": [127.5],
            "std": [64],
        },
        "decode": {"kind": kind},
        "dataset": {"kind": "folder", "images": "images", "count": 2},
        "calibration": {"images": "images", "start": 2, "count": 2},
        "weights": "synthetic",
        "speed": "assumed",
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
