"""A form of a model, evaluated: its accuracy, or its agreement with FP32, and its size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fqbench.backends import Runner
from fqbench.backends.base import Tensor
from fqbench.cells import Cell
from fqbench.errors import FqbenchError, StepError
from fqbench.hardware import usable_cores
from fqbench.measure.accuracy import resampled
from fqbench.measure.agreement import agreement
from fqbench.measure.evaluation import Evaluation, share
from fqbench.pipeline.model import Model
from fqbench.tasks.registry import tasks
from fqbench.vision.image import read_image
from tools.peers.forms import Form
from tools.peers.making import Made
from tools.peers.report import Row
from tools.peers.running import load

Points = NDArray[np.float64]
"""Accuracy on all images, then on resamples of them; see ``accuracy.resampled``."""


@dataclass(frozen=True)
class Found:
    """A row in the making, with what drops are computed from."""

    row: Row
    points: Points | None = None


def own(pipeline: Model, form: Form, cell: Cell) -> Found:
    """What fqbench itself knows of one of its cells, but its times."""
    int8 = form.kind == "fqbench"
    artifact = pipeline.artifact(cell)
    fp32 = pipeline.artifact(replace(cell, precision="fp32"))
    row = Row(
        form,
        seconds_with_images=pipeline.quantizing_seconds(cell) if int8 else None,
        size_mb=sum(
            file.stat().st_size
            for file in artifact.path.iterdir()
            if file.suffix in (".onnx", ".pdmodel", ".pdiparams")
        )
        / 1e6,
        fell_back=int8 and artifact.key == fp32.key,
    )
    if pipeline.spec.labelled:
        points = pipeline.points(pipeline.answers(cell))
        return Found(replace(row, accuracy=float(points[0])), points)
    if int8:
        found = pipeline.agreement(cell)
        row = replace(row, agreement=found.value)
    return Found(row)


def peer(pipeline: Model, made: Made, fp32: Made | None, reading: float) -> Found:
    """What is known of a peer's model, but its times. Raises StepError where it cannot be run."""
    with_images = None if made.seconds is None else made.seconds + reading
    row = Row(
        made.form, seconds=made.seconds, seconds_with_images=with_images, size_mb=made.size_mb
    )
    try:
        if pipeline.spec.labelled:
            points = _points(pipeline, made)
            return Found(replace(row, accuracy=float(points[0])), points)
        if fp32 is not None and made.form.kind == "peer":
            row = replace(row, agreement=_agreement(pipeline, fp32, made))
        return Found(row)
    except FqbenchError:
        raise
    except Exception as error:  # A peer's runtime may raise anything.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StepError(f"{made.form.name} does not run: {reason}") from error


def _points(pipeline: Model, made: Made) -> Points:
    """The accuracy of a peer's model, evaluated as fqbench's own cells are."""
    spec, data = pipeline.spec, pipeline.images.data
    count = share("onnxruntime", "cpu", usable_cores()).runners
    # An evaluation does nothing with them but run them.
    runners = cast("list[Runner]", [load(made) for _ in range(count)])
    evaluation = Evaluation.of(pipeline.graph.reading, spec.decode, count, allow_code=False)
    samples = [(sample.image_id, sample.path, sample.box) for sample in data.samples]
    predictions = evaluation.answers(runners, samples)
    return resampled(tasks()[spec.task], data, list(predictions))


def _agreement(pipeline: Model, fp32: Made, int8: Made) -> float:
    """The mean over the images, as ``Model.agreement`` has it."""
    runners = load(fp32), load(int8)
    paths = [sample.path for sample in pipeline.images.data.samples]
    feeds = (feed(pipeline, path) for path in paths)
    return float(np.mean([agreement(*(r.run(tensors) for r in runners)) for tensors in feeds]))


def feed(pipeline: Model, path: Path) -> list[Tensor]:
    """The tensors of the model's inputs for an image, as calibration and evaluation have them."""
    return pipeline.graph.reading.feed(read_image(path))
