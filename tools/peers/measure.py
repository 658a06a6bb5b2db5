"""Everything about one model: its forms made, evaluated and timed, one row each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from fqbench.cells import Cell
from fqbench.errors import FqbenchError
from fqbench.measure import stats
from fqbench.measure.accuracy import lost
from fqbench.measure.fastest import fastest_ratio
from fqbench.measure.stats import Launches
from fqbench.pipeline.model import ModelPipeline
from tools.peers import evaluate
from tools.peers.evaluate import Found, feed
from tools.peers.forms import FP32, ONNX_RUNTIME, OPENVINO, OWN, PADDLE, Form
from tools.peers.making import MAKERS, Made, make
from tools.peers.report import ModelReport, Row
from tools.peers.timing import time_all
from tools.peers.verdict import Measured, compare

BACKENDS = {ONNX_RUNTIME: "onnxruntime", PADDLE: "paddle"}
FORMS = tuple(
    sorted(
        {**dict.fromkeys(FP32.values()), **dict.fromkeys(OWN.values()), **MAKERS},
        key=lambda form: (ONNX_RUNTIME, PADDLE, OPENVINO).index(form.runtime),
    )
)
"""All forms, runtime by runtime, FP32 first."""

ONE_MS = (((1e-3,),),)
"""A launch of one inference of a millisecond: the unit of ``fastest_ratio``."""


def measure(pipeline: ModelPipeline) -> ModelReport:
    """Make, evaluate and time every form of a model; a form that fails says why in its row.

    Raises FqbenchError where there is no FP32 model, or an image cannot be read.
    """
    cells = _cells(pipeline.spec.name)
    graph = pipeline.build.artifact(cells[FP32[ONNX_RUNTIME]]).file("model.onnx")
    start = time.perf_counter()
    feeds = [feed(pipeline, path) for path in pipeline.images.calibration]
    reading = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        made, failures = make(graph, feeds, Path(folder))
        models = {each.form: each for each in made}
        fp32 = {ONNX_RUNTIME: Made(FP32[ONNX_RUNTIME], graph, None)}
        if FP32[OPENVINO] in models:
            fp32[OPENVINO] = models[FP32[OPENVINO]]
        found = {form: Found(Row(form, reason=reason)) for form, reason in failures.items()}
        for form, cell in cells.items():
            found[form] = _found(form, partial(evaluate.own, pipeline, form, cell))
        for form, model in models.items():
            against = fp32.get(form.runtime)
            found[form] = _found(form, partial(evaluate.peer, pipeline, model, against, reading))
        ready = [form for form, each in found.items() if each.row.reason is None]
        times = time_all(
            {f: pipeline.process(cells[f], 1, f.name) for f in ready if f in cells},
            [models[form] for form in ready if form in models],
            feed(pipeline, pipeline.images.data.samples[0].path),
        )
    for form, reason in times.failures.items():
        found[form] = replace(found[form], row=replace(found[form].row, reason=reason))
    measured = {
        form: Measured(form.name, launches, found[form].points)
        for form, launches in times.launches.items()
    }
    comparisons = tuple(
        compare(measured[own], measured[peer])
        for own in OWN.values()
        for peer in FORMS
        if peer.kind == "peer" and own in measured and peer in measured
    )
    rows = tuple(
        _compared(found[form], found[FP32[form.runtime]], times.launches.get(form))
        for form in FORMS
    )
    spec = pipeline.spec
    images = len(pipeline.images.data.samples)
    return ModelReport(spec.name, spec.metric, images, rows, comparisons)


def _cells(model: str) -> dict[Form, Cell]:
    return {
        **{FP32[name]: Cell(model, key, "cpu", "fp32") for name, key in BACKENDS.items()},
        **{OWN[name]: Cell(model, key, "cpu", "int8") for name, key in BACKENDS.items()},
    }


def _found(form: Form, find: Callable[[], Found]) -> Found:
    try:
        return find()
    except FqbenchError as error:
        return Found(Row(form, reason=str(error)))


def _compared(found: Found, fp32: Found, launches: Launches | None) -> Row:
    """The row with what follows from times and from FP32 on the same runtime."""
    row = found.row
    if launches is not None:
        fastest = fastest_ratio(launches, ONE_MS).value
        row = replace(row, ms=stats.latency(launches).p50, fastest_ms=fastest)
    if row.form.kind != "fp32" and found.points is not None and fp32.points is not None:
        row = replace(row, drop=lost(fp32.points, found.points))
    return row
