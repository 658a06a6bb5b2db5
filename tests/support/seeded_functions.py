"""Seeded networks taken all the way, in this process or, for Paddle, in a child of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fqbench.artifacts import Store
from fqbench.cells import Cell
from fqbench.margins import Margins
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.model import Model
from fqbench.pipeline.run import run
from fqbench.pipeline.zoo_models import from_zoo
from fqbench.spec.check import check_model
from fqbench.steps.executor import LocalExecutor
from tests.support.inline import steps_here

QUICK = MeasurementBudget(
    fewest=1, most=1, per_launch=TimingBudget(warm_up=0.01, rounds=2, fewest=2)
)


def prepared(name: str, store: Path) -> Model:
    """Network ``name`` of the zoo, ready to run on fewer images than usual."""
    executor = LocalExecutor(Store(store))
    spec = from_zoo(name, None, executor)
    fewer = {
        "calibration": spec.calibration.model_copy(update={"count": 4}),
        "dataset": spec.dataset.model_copy(update={"count": 2}),
    }
    spec = spec.model_copy(update=fewer)
    model = Model(spec, check_model(spec), executor)
    model.check(calibrates=True)
    return model


def rows_of(model: Model, backend: str) -> list[dict[str, Any]]:
    """The rows of FP32 and INT8 of ``model`` on ``backend``, as results hold them."""
    cells = tuple(Cell(model.spec.name, backend, "cpu", each) for each in ("fp32", "int8"))
    steps = plan(model.graph, Request(cells, Margins(), budget=QUICK))
    return [row.to_json() for row in run([steps], model.executor).rows]


def all_of(arguments: dict[str, Any], report: object) -> dict[str, list[dict[str, Any]]]:
    """The rows of each of ``names`` on ``backend``, with artifacts in ``store``."""
    import pycocotools.cocoeval  # noqa: F401  (first: beside Paddle it ends the process later)

    def found() -> Iterator[tuple[str, list[dict[str, Any]]]]:
        for name in arguments["names"]:
            model = prepared(name, Path(arguments["store"]))
            yield name, rows_of(model, arguments["backend"])

    with steps_here():
        return dict(found())
