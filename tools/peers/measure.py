"""Everything about one model: its forms made, evaluated and timed, one row each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from fqbench.cells import Cell
from fqbench.errors import FqbenchError
from fqbench.measure import stats
from fqbench.measure.accuracy import lost
from fqbench.measure.undisturbed import fastest_ratio
from fqbench.pipeline.model import Model
from tools.peers import evaluate
from tools.peers.evaluate import Found, feed
from tools.peers.forms import FORMS, FP32, ONNX_RUNTIME, OPENVINO, OWN, PADDLE, Form
from tools.peers.making import MAKERS, Made, make
from tools.peers.report import ModelReport, Row
from tools.peers.timing import Times, time_all
from tools.peers.verdict import Measured, compare

BACKENDS = {ONNX_RUNTIME: "onnxruntime", PADDLE: "paddle", OPENVINO: "openvino"}
ONE_MS = (((1e-3,),),)
"""A launch of one inference of a millisecond: the unit of ``fastest_ratio``."""


def measure(pipeline: Model) -> ModelReport:
    """Make, evaluate and time every form of a model; a form that fails says why in its row.

    Raises FqbenchError where there is no FP32 model, or an image cannot be read.
    """
    cells = _cells(pipeline.spec.name)
    graph = pipeline.artifact(cells[FP32[ONNX_RUNTIME]]).file("model.onnx")
    start = time.perf_counter()
    feeds = [feed(pipeline, path) for path in pipeline.images.calibration]
    reading = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        made, failures = make(graph, feeds, Path(folder))
        fp32 = {each.form.runtime: each for each in made if each.form.kind == "fp32"}
        fp32[ONNX_RUNTIME] = Made(FP32[ONNX_RUNTIME], graph, None)
        find = {
            **{form: partial(evaluate.own, pipeline, form, cell) for form, cell in cells.items()},
            **{
                each.form: partial(
                    evaluate.peer, pipeline, each, fp32.get(each.form.runtime), reading
                )
                for each in made
            },
        }
        found = {
            **{form: Found(Row(form, reason=reason)) for form, reason in failures.items()},
            **{form: _or_reason(form, function) for form, function in find.items()},
        }
        ready = {form for form, each in found.items() if each.row.reason is None}
        times = time_all(
            {f: pipeline.process(cell, 1, f.name) for f, cell in cells.items() if f in ready},
            [each for each in made if each.form in ready],
            feed(pipeline, pipeline.images.data.samples[0].path),
        )
    return _report(pipeline, found, times)


def _report(pipeline: Model, found: Mapping[Form, Found], times: Times) -> ModelReport:
    measured = {
        form: Measured(form.name, launches, found[form].points)
        for form, launches in times.launches.items()
    }
    comparisons = (
        compare(measured[own], measured[peer])
        for own in OWN.values()
        for peer in FORMS
        if peer.kind == "peer" and own in measured and peer in measured
    )
    rows = (_row(found[form], found[FP32[form.runtime]], form, times) for form in FORMS)
    spec, images = pipeline.spec, len(pipeline.images.data.samples)
    return ModelReport(spec.name, spec.metric, images, tuple(rows), tuple(comparisons))


def _cells(model: str) -> dict[Form, Cell]:
    return {
        **{
            FP32[name]: Cell(model, key, "cpu", "fp32")
            for name, key in BACKENDS.items()
            if FP32[name] not in MAKERS
        },
        **{OWN[name]: Cell(model, key, "cpu", "int8") for name, key in BACKENDS.items()},
    }


def _or_reason(form: Form, find: Callable[[], Found]) -> Found:
    try:
        return find()
    except FqbenchError as error:
        return Found(Row(form, reason=str(error)))


def _row(found: Found, fp32: Found, form: Form, times: Times) -> Row:
    """The row of ``form`` with what follows from times and from FP32 on the same runtime."""
    row = found.row
    if form in times.failures:
        row = replace(row, reason=times.failures[form])
    if form in times.launches:
        launches = times.launches[form]
        fastest = fastest_ratio(launches, ONE_MS).value
        row = replace(row, ms=stats.latency(launches).p50, fastest_ms=fastest)
    if form.kind != "fp32" and found.points is not None and fp32.points is not None:
        row = replace(row, drop=lost(fp32.points, found.points))
    return row
