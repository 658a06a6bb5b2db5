"""A model that has no Paddle program: its Paddle cells fail with the reason, the others run."""

import onnx
import pytest

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.margins import Margins
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs
from fqbench.steps.executor import LocalExecutor
from tests.support.onnx_graphs import Net
from tests.support.paddle import needs_paddle
from tests.support.tiny_spec import CLASSES, SIZE, write_spec

pytestmark = [pytest.mark.slow, needs_paddle]


def determinants() -> onnx.ModelProto:
    """A classifier that reads determinants of its channels, which Paddle programs do not."""
    net = Net(21, (1, 3, SIZE, SIZE))
    hidden = net.node("Relu", net.conv("x", 8))
    pooled = net.node("MaxPool", net.conv(hidden, 8), kernel_shape=[8, 8], strides=[8, 8])
    flat = net.node("Flatten", net.node("GlobalAveragePool", pooled))
    read = net.node("Tanh", net.node("Det", hidden))
    return net.model(net.gemm(net.node("Add", flat, read), CLASSES))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    path = write_spec(folder)
    onnx.save(determinants(), str(folder / "tiny.onnx"))
    (spec,), _ = load_specs([path], folder)
    return Model(spec, check_model(spec), LocalExecutor(Store(folder / "cache")))


@pytest.fixture(scope="module")
def rows(pipeline):
    cells = tuple(
        Cell("tiny", backend, "cpu", precision)
        for backend in ("onnxruntime", "paddle")
        for precision in ("fp32", "int8")
    )
    steps = plan(pipeline.graph, Request(cells, Margins(), budget=None))
    found = run([steps], pipeline.executor).rows
    return {(row.cell.backend, row.cell.precision): row for row in found}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_only_the_cells_of_the_refused_conversion_fail(rows, precision):
    assert rows["onnxruntime", precision].status == "ok"
    row = rows["paddle", precision]
    assert row.status == "failed"
    assert row.accuracy is None
    assert row.reason == (
        "the model cannot be converted to Paddle: fqbench has no form there of the operator Det"
    )


def test_other_images_are_another_check(pipeline):
    key = pipeline.made(pipeline.graph.canonical).key
    spec = pipeline.spec
    fewer = spec.calibration.model_copy(update={"start": 1, "count": 2})
    spec = spec.model_copy(update={"calibration": fewer})
    root = pipeline.made(pipeline.graph.canonical).path.parents[1]
    other = Model(spec, check_model(spec), LocalExecutor(Store(root)))
    assert other.made(other.graph.canonical).key != key
