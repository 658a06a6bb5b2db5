"""What of a network that ends in its best rows is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.backends.base import Tensor
from fqbench.cells import Cell
from fqbench.graph.graph import Graph
from fqbench.graph.ordering import SORTING, head_of, ordering, unordered
from fqbench.hardware import usable_cores
from fqbench.measure.cell_loading import Loadable
from fqbench.pipeline.model import Model
from fqbench.precisions import precision
from fqbench.steps.reading import load_graph
from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import disagreement
from fqbench.tasks.record import Outputs
from fqbench.verify.conversion import graph_runner
from fqbench.vision.geometry import Geometry

RAW = "raw:"
"""Before the names of images whose rows the file itself gave."""

ROUNDING = ("QuantizeLinear", "DequantizeLinear")

PIXELS = 1e-3
"""Boxes of one file's rows may differ by so much: both sides compute in float32."""


@dataclass(frozen=True)
class Decoding:
    """Of ``images``: how many ``boxes`` there are, in how many images labels or counts differ, and
    the largest differences of boxes in pixels and of scores.

    ``file``: the largest difference of what the package's runtime gave from the same file fed as
    fqbench reads images.
    """

    images: int
    boxes: int
    other: int
    pixels: float
    scores: float
    file: float

    @property
    def right(self) -> bool:
        """Whether both answer the same."""
        return self.boxes > 0 and self.other == 0 and self.pixels <= PIXELS and self.scores == 0

    def __str__(self) -> str:
        return (
            f"{self.boxes} boxes of {self.images} images; other labels or counts in {self.other},"
            f" boxes differ by {self.pixels:.2g} pixels, scores by {self.scores:.2g}; the file's"
            f" rows by {self.file:.2g}"
        )


@dataclass(frozen=True)
class Row:
    """One runtime: layers in INT8, what orders, how many rounded values that reads; agreement as
    fqbench reports it, then that of answers, each with and without the head."""

    HEADINGS: ClassVar = (
        "Backend",
        "INT8 layers",
        "Operators that order",
        "Rounded values ordered",
        "Agreement",
        "of the network without the head",
        "Answers alike",
        "of INT8 without the head",
    )
    backend: str
    layers: str
    operators: int
    rounded: int
    agreement: float
    headless_agreement: float
    answers: float
    headless_answers: float

    @property
    def texts(self) -> tuple[str, ...]:
        """As in the table."""
        shares = (self.agreement, self.headless_agreement, self.answers, self.headless_answers)
        counts = (str(self.operators), str(self.rounded))
        return (self.backend, self.layers, *counts, *(f"{value:.4f}" for value in shares))


@dataclass(frozen=True)
class Figures:
    """Of the network ``name``."""

    name: str
    decoding: Decoding
    rows: tuple[Row, ...]

    @property
    def right(self) -> bool:
        """Whether it is decoded as its package does, and nothing rounded is ordered."""
        return self.decoding.right and not any(row.rounded for row in self.rows)


def decoded(model: Model, images: Sequence[Path], answers: Mapping[str, NDArray[Any]]) -> Decoding:
    """fqbench's decoder beside the package's ``answers``, from the rows that it had."""
    size = model.spec.preprocess.resize.output
    decode = decoder(model.spec.decode, size)
    run = graph_runner(model.spec.model, optimized=True)
    boxes, other, far, off, file = 0, 0, 0.0, 0.0, 0.0
    for path in images:
        feed, geometry = model.graph.reading.placed(path)
        raw, wanted = answers[f"{RAW}{path.name}"], answers[path.name]
        found = decode([raw], geometry)
        file = max(file, float(np.abs(run(feed)[0] - raw).max()))
        boxes += len(wanted)
        if len(found.scores) != len(wanted) or (found.labels != wanted[:, 5]).any():
            other += 1
        elif len(wanted):
            far = max(far, float(np.abs(found.boxes - wanted[:, :4]).max()))
            off = max(off, float(np.abs(found.scores - wanted[:, 4]).max()))
    return Decoding(len(images), boxes, other, far, off, file)


def write_headless(source: Path, target: Path) -> None:
    """Write the network of ``source`` as it is before its rows are in order."""
    onnx.save(unordered(onnx.load(source)), target)


def figures(model: Model, cell: Cell, headless: Model, other: Cell) -> Row:
    """A ``cell`` of INT8, and the ``other`` of the same network without its head."""
    lowering, written = model.lowering(cell), Graph(load_graph(model.network(cell).path))
    names = ordering(written)
    ordered = [node for node in written.model.graph.node if node.name in names]
    head = graph_runner(head_of(load_graph(model.made(model.graph.canonical).path)), optimized=True)
    whole = [answers(model, outputs(model, each)) for each in (cell.baseline, cell)]
    cut = [
        answers(model, [head(found) for found in outputs(headless, each)])
        for each in (other.baseline, other)
    ]
    return Row(
        cell.backend,
        f"{lowering.quantized} of {lowering.convolutions}",
        sum(node.op_type in SORTING for node in ordered),
        sum(node.op_type in ROUNDING for node in ordered),
        model.agreement(cell).value,
        headless.agreement(other).value,
        1 - disagreement(*whole),
        1 - disagreement(*cut),
    )


def outputs(model: Model, cell: Cell) -> list[Outputs]:
    """What ``cell`` computes for each image."""
    runner = Loadable(
        artifact=model.artifact(cell).path,
        backend=cell.backend,
        device=cell.device,
        precision=precision(cell.precision).runtime_name,
        reading=model.graph.reading,
    ).load(usable_cores())
    return [runner.run(feed) for feed, _ in placed(model)]


def answers(model: Model, found: Sequence[Outputs]) -> list[Detections]:
    """The boxes in each image of which ``model`` has the outputs ``found``."""
    decode = decoder(model.spec.decode, model.spec.preprocess.resize.output)
    return [decode(each, place) for each, (_, place) in zip(found, placed(model), strict=True)]


def placed(model: Model) -> Iterator[tuple[list[Tensor], Geometry]]:
    """Each image as ``model`` takes it, and where it lies in that."""
    samples = model.images.data.samples
    return (model.graph.reading.placed(sample.path) for sample in samples)
