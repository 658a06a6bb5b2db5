"""Steps that find ranges, and choose what stays in float."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.isolate import Report, alone
from fqbench.spec import Decode
from fqbench.spec.quantization import Cpu, Offline
from fqbench.steps import Job
from fqbench.steps.reading import ReadingJob, load_graph, save_graph, write_json

if TYPE_CHECKING:
    from fqbench.graph.executor import Feed
    from fqbench.tune.estimators import ErrorEstimator

CHOICE, TRADEOFF = "choice.json", "tradeoff.json"
SMOOTHING_IMAGES = 32
"""Images that show how large the channels are that are evened out."""
CHECK_IMAGES = 3
"""Images that the graph with evened channels is checked on."""


class Calibrate(ReadingJob):
    """``canonical``: the folder of the canonical graph; ``images``: what calibrates.

    ``cpu``: which CPUs the model is made for; ``probes``: folders of what the kernels of each
    backend do on this one, None for one where that could not be found out; None instead of all
    where no products saturate on any CPU.
    """

    canonical: Path
    offline: Offline
    cpu: Cpu
    probes: tuple[Path | None, ...] | None


def calibrate(job: Calibrate, report: Report) -> None:
    """Find the ranges; write their record, and the graph that they are of."""
    from fqbench.quantize import calibrate as quantize

    model = _evened(job)
    record = quantize.calibrate(
        model,
        job.feeds(report),
        job.offline.algorithm,
        job.offline.keep_float,
        saturates=saturates(job.cpu, job.probes),
    )
    record.write(job.folder / "quantization.json")
    save_graph(model, job.folder)


def _evened(job: Calibrate) -> Any:
    """The canonical graph with evened channels, which is held to be the same function."""
    from fqbench.quantize.equalizing import equalize
    from fqbench.quantize.smoothing import smooth
    from fqbench.verify.conversion import check_smoothed

    model = evened = load_graph(job.canonical)
    images = job.first(SMOOTHING_IMAGES)
    for even in (smooth, equalize):
        evened = even(evened, images.feeds(lambda done, total, told="", /: None))
    if evened is not model:
        check_smoothed(model, evened, job.first(CHECK_IMAGES).check_feeds(model))
    return evened


class Judging(ReadingJob):
    """``quantization``: the folder of a graph and its record; ``canonical``: that of FP32.

    ``images``: what a quantized model is judged on; ``cpu`` and ``probes``: see ``Calibrate``.
    """

    quantization: Path
    canonical: Path
    backend: str
    decode: Decode
    cpu: Cpu
    probes: tuple[Path | None, ...] | None

    def judged(self) -> tuple[list[Feed], ErrorEstimator]:
        """The images as the model takes them, and what estimates errors by them."""
        from fqbench.tune.estimators import error_estimator

        images = self.placed()
        size = self.reading.preprocess.resize.output
        estimator = error_estimator(self.decode, size, load_graph(self.canonical), images)
        return [feed for feed, _ in images], estimator


class Choose(Judging):
    """``program``: the folder of the FP32 model that the backend runs: what is refused in FP32 has
    no INT8 form either. ``limit``, ``threads``, ``fastest``: see ``TuningTarget``.
    """

    program: Path
    limit: float | None
    threads: int | None
    fastest: bool


def choose(job: Choose, report: Report) -> None:
    """Decide which layers the backend runs in float; write ``choice.json``."""
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choose import TuningTarget, choose

    target = TuningTarget(
        job.limit,
        job.threads,
        job.fastest,
        saturates=saturates(job.cpu, job.probes),
        here=job.cpu == "here",
    )
    feeds, estimator = job.judged()
    choice = choose(
        job.backend,
        load_graph(job.quantization),
        Quantization.read(job.quantization / "quantization.json"),
        feeds,
        target,
        report,
        estimator,
        partial(alone, report),
    )
    choice.write(job.folder / CHOICE)


class Trade(Judging):
    """``choice``: the folder of the choice whose layers are traded; ``threads``: of the runtime
    when it is timed.
    """

    choice: Path
    threads: int


def tradeoff(job: Trade, report: Report) -> None:
    """Find out what each layer costs and saves; write ``tradeoff.json``."""
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice
    from fqbench.tune.trade import Quantized, trade

    quantized = Quantized(
        job.backend,
        load_graph(job.quantization),
        Quantization.read(job.quantization / "quantization.json"),
        Choice.read(job.choice / CHOICE),
        anywhere=job.cpu == "any" and saturates(job.cpu, job.probes),
        threads=job.threads,
    )
    feeds, estimator = job.judged()
    found = trade(quantized, feeds, report, estimator, partial(alone, report))
    found.write(job.folder / TRADEOFF)


class Point(Job):
    """``tradeoff``: the folder of one; ``number``: which of its points."""

    tradeoff: Path
    number: int


def tradeoff_point(job: Point, report: Report) -> None:
    """Write the choice that a point of a tradeoff is, ``choice.json``."""
    from fqbench.tune.tradeoff import Tradeoff

    Tradeoff.read(job.tradeoff / TRADEOFF).points[job.number].write(job.folder / CHOICE)


class Probe(Job):
    """``backend``: whose kernels are probed."""

    backend: str


def probe(job: Probe, report: Report) -> None:
    """Find out whether 8-bit products saturate here; write ``kernels.json``."""
    from fqbench.saturation.probe import saturates as found

    write_json(job.folder, "kernels.json", {"saturates": found(job.backend)})


class Saturation(ReadingJob):
    """``model``: the folder of an INT8 graph; ``images``: what its layers are run on.

    ``probes``: see ``Calibrate``.
    """

    model: Path
    probes: tuple[Path | None, ...] | None


def saturation(job: Saturation, report: Report) -> None:
    """Count, by layer, the sums that saturate on the images; write ``saturation.json``.

    Nothing is counted where products do not saturate.
    """
    from fqbench.saturation.counting import saturated_sums

    counts: Mapping[str, int] = {}
    if saturates("here", job.probes):
        counts = saturated_sums(load_graph(job.model), job.feeds(report))
    write_json(job.folder, "saturation.json", counts)


def saturates(cpu: Cpu, probes: Iterable[Path | None] | None) -> bool:
    """Whether 8-bit products saturate on the CPUs that a model is made for.

    Where it could not be found out they are taken to: that costs time, and is accurate.
    """
    if probes is None:
        return False
    return cpu == "any" or any(
        folder is None or json.loads((folder / "kernels.json").read_text())["saturates"]
        for folder in probes
    )
