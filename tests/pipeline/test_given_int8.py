"""INT8 files that were made elsewhere, measured beside fqbench's own."""

import pytest

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.isolate.parent import _run, _Watch
from fqbench.margins import Margins
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.pipeline.zoo_models import embedded
from fqbench.spec import Int8File
from fqbench.spec.check import check_model
from fqbench.steps.executor import LocalExecutor
from tests.support.paddle import needs_paddle

pytestmark = [pytest.mark.slow, needs_paddle]

NAME = "digits_mobilenet_v1"
QUICK = MeasurementBudget(
    fewest=1, most=1, per_launch=TimingBudget(warm_up=0.01, rounds=2, fewest=2)
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory, shared_cache):
    """By backend and precision, of an embedded model whose INT8 file PaddleSlim made alone."""
    folder = tmp_path_factory.mktemp("slim")
    store = Store(shared_cache)
    spec = embedded(NAME, store)
    target = folder / "target"
    arguments = {"folder": str(folder), "source": str(spec.model), "target": str(target)}
    # The child looks for modules where this process does: the root of the repository.
    _run(
        "tests.support.slim_functions:write_int8",
        {**arguments, "side": spec.input_shape[2]},
        {},
        _Watch("the test", timeout_s=200),
    )
    int8 = Int8File(model=target / "model.pdmodel", params=target / "model.pdiparams")
    fewer = {
        "dataset": spec.dataset.model_copy(update={"count": 100}),
        "calibration": spec.calibration.model_copy(update={"count": 4}),
    }
    spec = spec.model_copy(update={"int8": int8, **fewer})
    pipeline = Model(spec, check_model(spec), LocalExecutor(store))
    cells = tuple(
        Cell(NAME, backend, "cpu", precision)
        for backend in ("onnxruntime", "paddle")
        for precision in ("fp32", "int8")
    )
    steps = plan(pipeline.graph, Request(cells, Margins(), budget=QUICK))
    found = run([steps], pipeline.executor).rows
    return {(row.cell.backend, row.cell.precision): row for row in found}


@pytest.mark.parametrize("backend", ["onnxruntime", "paddle"])
def test_it_has_a_row_of_its_own_after_ours(rows, backend):
    precisions = [precision for place, precision in rows if place == backend]
    assert precisions == ["fp32", "int8", "int8_file"]
    row = rows[backend, "int8_file"]
    assert (row.status, row.reason, row.method) == ("ok", None, "given")
    assert row.cell.id == f"{NAME}-{backend}-cpu-int8_file"


@pytest.mark.parametrize("backend", ["onnxruntime", "paddle"])
def test_it_is_compared_with_fp32_as_ours_is(rows, backend):
    row = rows[backend, "int8_file"]
    assert row.images == rows[backend, "fp32"].images
    assert row.accuracy > 50
    assert row.drop.value == pytest.approx(rows[backend, "fp32"].accuracy - row.accuracy)
    assert row.ratio is not None
    assert row.latency.n >= 2


def test_it_is_another_file_than_ours(rows):
    for backend in ("onnxruntime", "paddle"):
        ours, given = rows[backend, "int8"], rows[backend, "int8_file"]
        assert ours.hashes["artifact"] != given.hashes["artifact"]
        assert given.int8_convolutions > 0


def test_onnx_file_is_told_not_to_run_on_paddle(shared_cache):
    store = Store(shared_cache)
    spec = embedded(NAME, store)
    spec = spec.model_copy(update={"int8": Int8File(model=spec.model)})
    pipeline = Model(spec, check_model(spec), LocalExecutor(store))
    request = Request((Cell(NAME, "paddle", "cpu", "int8"),), Margins(), budget=QUICK)
    given = run([plan(pipeline.graph, request)], pipeline.executor).rows[-1]
    assert given.status == "failed"
    assert "is an INT8 file for ONNX Runtime, not for Paddle Inference" in given.reason
