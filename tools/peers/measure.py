"""Everything about one model: its forms made, evaluated and timed, one row each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fqbench.backends import Runner
from fqbench.backends.base import Tensor
from fqbench.cells import Cell
from fqbench.errors import FqbenchError, StepError
from fqbench.machine import usable_cores
from fqbench.measure import stats
from fqbench.measure.accuracy import lost, resampled
from fqbench.measure.agreement import agreement
from fqbench.measure.evaluation import Evaluation, share
from fqbench.measure.fastest import fastest_ratio
from fqbench.measure.stats import Interval, Launches
from fqbench.pipeline.model import ModelPipeline
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare
from tools.peers.forms import FP32, ONNX_RUNTIME, OPENVINO, OWN, PADDLE, Form
from tools.peers.making import MAKERS, Made, make
from tools.peers.running import load
from tools.peers.timing import time_all
from tools.peers.verdict import Comparison, Measured, ahead_of_fqbench, compare

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

Points = NDArray[np.float64]
"""Accuracy on all images, then on resamples of them; see ``accuracy.resampled``."""


@dataclass(frozen=True)
class Row:
    """What is known of a form. Values that do not apply, or were not reached, are None.

    ``ms``: median; ``fastest_ms``: in the fastest rounds. ``seconds``: to quantize, with images in
    memory; ``seconds_with_images``: and to read them. ``drop``: points lost against FP32 on the
    same runtime; ``agreement`` with that FP32, where images have no labels. ``reason``: why the
    form, or a part of this, failed.
    """

    form: Form
    ms: Interval | None = None
    fastest_ms: float | None = None
    accuracy: float | None = None
    drop: Interval | None = None
    agreement: float | None = None
    seconds: float | None = None
    seconds_with_images: float | None = None
    size_mb: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ModelReport:
    """A model's rows, every form of fqbench beside every peer, and the peers that beat fqbench."""

    model: str
    metric: str
    images: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def ahead(self) -> tuple[str, ...]:
        """Peers better in both time and accuracy than fqbench on every runtime."""
        return ahead_of_fqbench(self.comparisons)

    @property
    def failed(self) -> bool:
        """Whether a form of fqbench failed, or FP32 it is compared with."""
        return any(row.reason is not None and row.form.kind != "peer" for row in self.rows)


def measure(pipeline: ModelPipeline) -> ModelReport:
    """Make, evaluate and time every form of a model; a form that fails says why in its row.

    Raises FqbenchError where there is no FP32 model, or an image cannot be read.
    """
    cells = _cells(pipeline.spec.name)
    graph = pipeline.build.artifact(cells[FP32[ONNX_RUNTIME]]).file("model.onnx")
    start = time.perf_counter()
    feeds = [_feed(pipeline, path) for path in pipeline.images.calibration]
    reading = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        made, failures = make(graph, feeds, Path(folder))
        models = {each.form: each for each in made}
        fp32 = {ONNX_RUNTIME: Made(FP32[ONNX_RUNTIME], graph, None)}
        if FP32[OPENVINO] in models:
            fp32[OPENVINO] = models[FP32[OPENVINO]]
        found = {form: _Found(Row(form, reason=reason)) for form, reason in failures.items()}
        for form, cell in cells.items():
            found[form] = _found(form, partial(_own, pipeline, form, cell))
        for form, model in models.items():
            against = fp32.get(form.runtime)
            found[form] = _found(form, partial(_peer, pipeline, model, against, reading))
        ready = [form for form, each in found.items() if each.row.reason is None]
        times = time_all(
            {f: pipeline.process(cells[f], 1, f.name) for f in ready if f in cells},
            [models[form] for form in ready if form in models],
            _feed(pipeline, pipeline.images.data.samples[0].path),
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


@dataclass(frozen=True)
class _Found:
    """A row in the making, with what drops are computed from."""

    row: Row
    points: Points | None = None


def _cells(model: str) -> dict[Form, Cell]:
    return {
        **{FP32[name]: Cell(model, key, "cpu", "fp32") for name, key in BACKENDS.items()},
        **{OWN[name]: Cell(model, key, "cpu", "int8") for name, key in BACKENDS.items()},
    }


def _found(form: Form, find: Callable[[], _Found]) -> _Found:
    try:
        return find()
    except FqbenchError as error:
        return _Found(Row(form, reason=str(error)))


def _own(pipeline: ModelPipeline, form: Form, cell: Cell) -> _Found:
    """What fqbench itself knows of one of its cells, but its times."""
    int8 = form.kind == "fqbench"
    artifact = pipeline.build.artifact(cell)
    row = Row(
        form,
        seconds_with_images=pipeline.build.quantization(cell).seconds if int8 else None,
        size_mb=sum(
            file.stat().st_size
            for file in artifact.path.iterdir()
            if file.suffix in (".onnx", ".pdmodel", ".pdiparams")
        )
        / 1e6,
    )
    if pipeline.spec.labelled:
        points = pipeline.resampled(pipeline.answers(cell))
        return _Found(replace(row, accuracy=float(points[0])), points)
    if int8:
        found = pipeline.agreement(replace(cell, precision="fp32"), cell)
        row = replace(row, agreement=found.value)
    return _Found(row)


def _peer(pipeline: ModelPipeline, made: Made, fp32: Made | None, reading: float) -> _Found:
    """What is known of a peer's model, but its times. Raises StepError where it cannot be run."""
    with_images = None if made.seconds is None else made.seconds + reading
    row = Row(
        made.form, seconds=made.seconds, seconds_with_images=with_images, size_mb=made.size_mb
    )
    try:
        if pipeline.spec.labelled:
            points = _points(pipeline, made)
            return _Found(replace(row, accuracy=float(points[0])), points)
        if fp32 is not None and made.form.kind == "peer":
            row = replace(row, agreement=_agreement(pipeline, fp32, made))
        return _Found(row)
    except FqbenchError:
        raise
    except Exception as error:  # A peer's runtime may raise anything.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StepError(f"{made.form.name} does not run: {reason}") from error


def _points(pipeline: ModelPipeline, made: Made) -> Points:
    """The accuracy of a peer's model, evaluated as fqbench's own cells are."""
    spec, data = pipeline.spec, pipeline.images.data
    count = share("onnxruntime", "cpu", usable_cores()).runners
    # An evaluation does nothing with them but run them.
    runners = cast("list[Runner]", [load(made) for _ in range(count)])
    evaluation = Evaluation.of(
        {
            "preprocess": spec.preprocess.model_dump(mode="json"),
            "decode": spec.decode.model_dump(mode="json"),
            "inputs": pipeline.inputs,
            "allow_code": False,
        },
        count,
    )
    samples = [(sample.image_id, sample.path) for sample in data.samples]
    predictions = evaluation.answers(runners, samples)
    return resampled(data, list(predictions))


def _agreement(pipeline: ModelPipeline, fp32: Made, int8: Made) -> float:
    """The mean over the images, as ``ModelPipeline.agreement`` has it."""
    runners = load(fp32), load(int8)
    paths = [sample.path for sample in pipeline.images.data.samples]
    feeds = (_feed(pipeline, path) for path in paths)
    return float(np.mean([agreement(*(r.run(feed) for r in runners)) for feed in feeds]))


def _feed(pipeline: ModelPipeline, path: Path) -> list[Tensor]:
    prepared = prepare(read_image(path), pipeline.spec.preprocess)
    return list(model_inputs(prepared, pipeline.inputs))


def _compared(found: _Found, fp32: _Found, launches: Launches | None) -> Row:
    """The row with what follows from times and from FP32 on the same runtime."""
    row = found.row
    if launches is not None:
        fastest = fastest_ratio(launches, ONE_MS).value
        row = replace(row, ms=stats.latency(launches).p50, fastest_ms=fastest)
    if row.form.kind != "fp32" and found.points is not None and fp32.points is not None:
        row = replace(row, drop=lost(fp32.points, found.points))
    return row
