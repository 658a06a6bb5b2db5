"""Steps that find ranges, and choose what stays in float."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from fqbench.isolate import Report, alone
from fqbench.spec import Decode
from fqbench.spec.model import Cpu, Offline
from fqbench.steps import Job
from fqbench.steps.reading import ReadingJob, load_graph, save_graph, write_json


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

    model = load_graph(job.canonical)
    record = quantize.calibrate(
        model,
        job.feeds(report),
        job.offline.algorithm,
        job.offline.keep_float,
        saturates=saturates(job.cpu, job.probes),
    )
    record.write(job.folder / "quantization.json")
    save_graph(model, job.folder)


class Choose(ReadingJob):
    """``quantization``: the folder of a graph and its record; ``canonical``: that of FP32.

    ``program``: the folder of the FP32 model that the backend runs: what is refused in FP32 has no
    INT8 form either. ``limit``, ``threads``, ``fastest``: see ``TuningTarget``; ``cpu``
    and ``probes``: see ``Calibrate``.
    """

    quantization: Path
    canonical: Path
    program: Path
    backend: str
    decode: Decode
    limit: float | None
    threads: int | None
    fastest: bool
    cpu: Cpu
    probes: tuple[Path | None, ...] | None


def choose(job: Choose, report: Report) -> None:
    """Decide which layers the backend runs in float; write ``choice.json``."""
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choose import TuningTarget, choose
    from fqbench.tune.estimators import error_estimator

    target = TuningTarget(
        job.limit,
        job.threads,
        job.fastest,
        saturates=saturates(job.cpu, job.probes),
        here=job.cpu == "here",
    )
    images = job.placed()
    size = job.reading.preprocess.resize.output
    choice = choose(
        job.backend,
        load_graph(job.quantization),
        Quantization.read(job.quantization / "quantization.json"),
        [feed for feed, _ in images],
        target,
        report,
        error_estimator(job.decode, size, load_graph(job.canonical), images),
        partial(alone, report),
    )
    choice.write(job.folder / "choice.json")


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
