"""``fqbench doctor``: what can run here, what is missing, whether this machine can be timed on."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.backends import backend
from fqbench.cli.display import duration, progress
from fqbench.cli.output import CELL_FAILED, DONE, add_json, print_json
from fqbench.counting import counted
from fqbench.doctor.checkup import Checkup, examine
from fqbench.doctor.noise import SECONDS, Noise
from fqbench.gate.evidence import Tolerances
from fqbench.measure.launches import NARROW
from fqbench.precisions import precisions

SCHEMA = 1

DAY = 24 * 60 * 60

MEANING = {
    "quiet": "quiet enough: the gate tells a change of {tolerance:.0%} in its own time",
    "noisy": "noisy: give the gate --seconds {seconds:.0f}, or its verdicts will often be unclear",
    "too noisy": "too noisy for the gate: stop what else runs here, or take another machine",
}
"""What a machine's noise means for who uses it, by verdict."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "What can run here, what is missing and how to get it, what 8-bit products of this CPU"
        " give, and whether it is quiet enough to time on."
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="N",
        help=f"how long to listen to the machine, 0: not at all (default: {SECONDS:g})",
    )
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench doctor``: a table, and a sentence each for the rest."""
    with progress(errors) as report:
        found = examine(report, options.seconds)
    if options.json:
        print_json({"schema": SCHEMA, **found.to_json()})
    else:
        console = Console()
        if any(each.precisions for each in found.supports):
            console.print(_table(found))
        for sentence in sentences(found):
            console.print(sentence, markup=False, highlight=False)
    return DONE if found.runs else CELL_FAILED


def _seconds(text: str) -> float:
    """A number of seconds from 0 to an hour, as an option's value."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return found


def _table(found: Checkup) -> Table:
    """What runs. Why a precision is missing where others run, ``fqbench list --all`` says."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Backend", "Device", "Runs"):
        table.add_column(name)
    for each in found.supports:
        if each.precisions:
            runs = ", ".join(precisions()[name].label for name in each.precisions)
            table.add_row(*map(Text, (each.label, each.device.upper(), runs)))
    return table


def sentences(found: Checkup) -> Iterator[str]:
    """What is below the table."""
    yield from _missing(found)
    cpu = found.cpu
    hidden = f", some hidden from runtimes by {', '.join(found.hidden)}" if found.hidden else ""
    yield (
        f"CPU: {cpu['model']} ({', '.join(cpu['isa']) or 'no instruction set that is known'})"
        f"{hidden}, {counted(cpu['usable_cores'], 'core')},"
        f" {found.memory_mb / 1024:.1f} GiB of memory;"
        f" {found.load:.1f} processes wanted a core on average in the last minute."
    )
    free = f"{found.free_mb / 1024:.1f} GiB"
    yield f"Models that it makes are kept in {found.store}, where {free} are free."
    for name, saturates in found.saturates:
        yield _products(backend(name).label, saturates)
    if found.noise is not None:
        yield from _noise(found.noise)
    yield "A model of your own needs a spec: fqbench init MODEL.onnx proposes one."


def _missing(found: Checkup) -> Iterator[str]:
    """What does not run, once for each reason, which says what to do where something can be."""
    names: dict[str, list[str]] = {}
    for each in found.supports:
        if not each.precisions:
            place = f"{each.label} on the {each.device.upper()}"
            names.setdefault(each.reason, []).append(place)
    for reason, places in names.items():
        yield f"Does not run: {', '.join(places)}: {reason}."


def _products(label: str, saturates: bool | str) -> str:
    if isinstance(saturates, str):
        return f"{label}: what 8-bit products give could not be found out: {saturates}"
    if saturates:
        return (
            f"{label}: sums of 8-bit products saturate on this CPU, so layers that could get"
            " weights of 7 bits."
        )
    return f"{label}: 8-bit products are summed exactly on this CPU, so weights take all 8 bits."


def _noise(found: Noise | str) -> Iterator[str]:
    if isinstance(found, str):
        yield f"It could not be timed on: {found}"
        return
    speed = found.speed
    yield (
        f"One core multiplies and adds {speed.float32:.0f}·10⁹ times a second in float32,"
        f" {speed.int8:.0f}·10⁹ in int8: INT8 is at most {speed.int8 / speed.float32:.1f} times as"
        f" fast. It copies {speed.copy:.1f} GB a second."
    )
    yield (
        f"Noise: a ratio was known to {found.width:.1%} after {duration(found.seconds)};"
        f" to {NARROW:.0%} it takes {_at_most_a_day(found.seconds_for_gate)} (slow moments were"
        f" {speed.spread:.0%} longer than fast ones). This is"
        f" {MEANING[found.verdict].format(tolerance=Tolerances().slowdown, seconds=_asked(found))}."
    )


def _at_most_a_day(seconds: float) -> str:
    return "more than a day" if seconds > DAY else f"about {duration(seconds)}"


def _asked(found: Noise) -> float:
    """Seconds per cell to ask the gate for: half of them are for the second measurement."""
    return 2 * found.seconds_for_gate
