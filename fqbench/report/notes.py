"""What stands under the table: what was measured, on what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fqbench.backends import backend, backends, label_of, unversioned
from fqbench.counting import counted
from fqbench.measure.drop import magnitude, word
from fqbench.measure.stats import Interval
from fqbench.report import best_float, int8_gain, layers, saturation, timing
from fqbench.report.table import is_shown, lines, method_label, metric_label
from fqbench.results import Results, Row
from fqbench.tasks.registry import metrics

if TYPE_CHECKING:
    from fqbench.machine import GpuFacts, MachineFacts


def notes(results: Results) -> tuple[str, ...]:
    """One sentence each: units, data, CPU, threads, versions, cells without figures."""
    machine = results.machine
    cpu, versions = machine["cpu"], machine["versions"]
    threads = machine["threads"]
    return (
        f"Latency is the median (p50) of single inferences at batch 1{_batches(results.rows)}, in"
        " milliseconds, of the runtime alone. In brackets: 95 % confidence intervals. Ratio is FP32"
        " over INT8 time on the same backend.",
        *best_float.sentences(results.rows),
        *timing.sentences(results.rows, machine),
        f"{_meanings(results.rows)}drop is FP32 minus INT8 accuracy in points, on the same images"
        " (negative: INT8 gains), its interval from a paired bootstrap over images.",
        *_synthetic(results.rows),
        *_unlabelled(results.rows),
        *_of_files(results.rows),
        *_further(results.rows),
        _data(results.rows),
        *layers.sentences(results.rows),
        *int8_gain.sentences(results.rows),
        *saturation.sentences(results.rows),
        f"CPU: {cpu['model']} ({', '.join(cpu['isa'])}){_hidden(machine)},"
        f" {counted(cpu['cores'], 'core')};"
        f" the number of fixed threads is {threads}.",
        *_gpu(machine.get("gpu")),
        f"Versions: {_listed(versions)}.",
        *(
            f"In the environment {name}: {_listed(found)}."
            for name, found in machine.get("environments", {}).items()
            if name in {_environment(row) for row in results.rows}
        ),
        *([f"Other toolkits: {_listed(made_by)}."] if (made_by := machine.get("toolkits")) else []),
        *_not_made(results.rows),
        # FP32 stands in the line of each other precision.
        *dict.fromkeys(note for line in lines(results.rows) for note in line.notes),
    )


def _not_made(rows: Iterable[Row]) -> Iterator[str]:
    """Why a method of several makes no model for a backend, once for all models."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not is_shown(row):
            why = method_label(row.cell.method), row.reason or row.status
            found.setdefault(why, []).append(label_of(row.cell.backend))
    for (made_by, reason), names in found.items():
        yield f"{made_by} on {', '.join(dict.fromkeys(names))}: {reason}."


def _environment(row: Row) -> str | None:
    """Where a row was measured; None where its backend is not installed here."""
    known = unversioned(row.cell.backend) in backends()
    return backend(row.cell.backend).environment if known else None


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _meanings(rows: Iterable[Row]) -> str:
    """What the metrics mean whose labels do not say it, to precede a sentence."""
    shown = {name for row in rows for name in (row.metric, *row.further)}
    known = (metric for name, metric in metrics().items() if name in shown)
    return "".join(f"{metric.label} is {metric.meaning}; " for metric in known if metric.meaning)


def _hidden(machine: MachineFacts) -> str:
    """By what instruction sets were hidden from the runtimes, to follow those of the CPU."""
    names = machine.get("hidden", {})
    return f", some of them hidden from runtimes by {', '.join(names)}" if names else ""


def _batches(rows: Iterable[Row]) -> str:
    sizes = sorted({row.batch for row in rows if row.batch > 1})
    return f" (on the GPU of {', '.join(map(str, sizes))} images at once)" if sizes else ""


def _gpu(gpu: GpuFacts | None) -> tuple[str, ...]:
    if gpu is None:
        return ()
    capability = ".".join(map(str, gpu["capability"]))
    return (f"GPU: {gpu['name']} (compute capability {capability}), driver {gpu['driver']}.",)


def _synthetic(rows: Iterable[Row]) -> tuple[str, ...]:
    if all(row.weights != "synthetic" for row in rows):
        return ()
    return (
        "Synthetic weights (where space is short: *) are random, with activations as alive as"
        " trained ones'. A convolution takes the same time whatever its weights, so latency and"
        " ratio hold; accuracy there is none.",
    )


def _unlabelled(rows: Iterable[Row]) -> tuple[str, ...]:
    """Agreement, and what accuracy needs, of all models that lack the same in one sentence."""
    needed = {row.cell.model: row.needs for row in rows if row.needs is not None}
    if not needed:
        return ()
    listed = "; ".join(f"{model} {needs}" for model, needs in needed.items())
    return (
        "Agreement is the mean cosine of INT8's and FP32's outputs, each value's mean taken off: 1"
        " alike, 0 unrelated. Random weights agree less than trained ones.",
        f"Accuracy: {listed}.",
    )


def _of_files(rows: Iterable[Row]) -> tuple[str, ...]:
    """What was made of the models' files."""
    told = {row.cell.model: row.notes for row in rows if row.notes}
    return tuple(f"{model}: {'; '.join(notes)}." for model, notes in told.items())


def _further(rows: Sequence[Row]) -> tuple[str, ...]:
    """What other metrics say of the same answers, where their tasks have any."""
    found = (
        f"{row.cell.id} {metric_label(name)} {figure.accuracy:.2f}{_lost(figure.drop)}"
        for row in rows
        for name, figure in row.further.items()
    )
    listed = ", ".join(found)
    return (f"Further metrics of the same answers: {listed}.",) if listed else ()


def _lost(drop: Interval | None) -> str:
    if drop is None:
        return ""
    size = magnitude(drop)
    return f" ({word(drop.value)} {size.value:.2f}, {size.low:.2f} to {size.high:.2f})"


def _data(rows: Iterable[Row]) -> str:
    described = {
        row.cell.model: (
            f"{row.cell.model} {metric_label(row.metric)} on"
            f" {counted(row.images, 'image')} of {row.dataset}"
        )
        for row in rows
        if row.images is not None and row.needs is None
    }
    calibrated = {
        row.cell.model: f"{row.cell.model} on {row.calibration}"
        for row in rows
        if row.calibration is not None
    }
    listed = ", ".join(described.values()) or "none"
    lists = f" ({', '.join(calibrated.values())})" if calibrated else ""
    return f"Data: {listed}; calibration images{lists} are never among those evaluated."
