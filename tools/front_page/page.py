"""The texts around the tables, and the blocks of files that they are written into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.fileio import write_text
from tools.front_page import ahead, front, longer
from tools.front_page.runs import SYNTHETIC, Measured, Run

LONGER = "docs/methods-table.md"
"""The file of the longer table."""

FRONT = "README.md"

NAME = "methods table"
"""What the markers of a block are called by."""

BEGIN, END = f"<!-- {NAME}: begin -->", f"<!-- {NAME}: end -->"


def front_page(found: Measured) -> str:
    """The block of the README."""
    return "\n\n".join(
        (
            front.table(found.rows),
            "Milliseconds of an inference at batch 1, in brackets how many times as fast as the"
            " best float of any runtime; below, points lost against FP32 on the same images"
            " (negative: gained) with their 95 % interval (*over*: beyond the margin, *?*: these"
            " images cannot tell). In bold the fastest that keeps the margin as measured. Cells of"
            f" one runtime were timed in turns.{_synthetic(found)} Every row, with the time"
            f" to make it, its size, and how many layers run in INT8: [{LONGER}]({LONGER}).",
            "\n".join(_measured_on(found.runs)),
        )
    )


def longer_page(found: Measured) -> str:
    """The block of the longer table's file."""
    beaten = _bullets(ahead.sentences(found.rows)) or "- nowhere"
    return "\n\n".join(
        (
            longer.table(found.rows),
            "Where another method is faster than fqbench's own on the same runtime, beyond the"
            f" intervals, and loses no more:\n\n{beaten}",
            *filter(None, [_bullets(longer.reasons(found.rows))]),
            "\n".join(_measured_on(found.runs)),
        )
    )


def rewrite(path: Path, block: str) -> None:
    """Put ``block`` between the markers of a file.

    Raises UsageError where it has not one pair of them, or cannot be read or written.
    """
    try:
        before, opened, rest = path.read_text(encoding="utf-8").partition(f"{BEGIN}\n")
        _, closed, after = rest.partition(END)
        if not opened or not closed or BEGIN in after or END in after:
            raise UsageError(f"{path} has not one pair of the lines {BEGIN} and {END}")
        write_text(path, f"{before}{BEGIN}\n{block}\n{END}{after}")
    except OSError as error:
        raise UsageError(f"cannot rewrite {path}: {error.strerror or error}") from error


def block_of(path: Path) -> str:
    """What is between the markers of a file."""
    return path.read_text(encoding="utf-8").partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0]


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _synthetic(found: Measured) -> str:
    if all(row.weights != SYNTHETIC for row in found.rows):
        return ""
    return (
        " \\*: with random weights, which take the same time and have no accuracy; *agrees* is the"
        " mean cosine of INT8's and FP32's outputs."
    )


def _measured_on(runs: Iterable[Run]) -> Iterator[str]:
    """One line for each machine: CPU, threads, versions, days."""
    days: dict[str, list[str]] = {}
    for run in runs:
        days.setdefault(_machine(run), []).append(run.created[:10])
    for machine, found in days.items():
        yield f"Measured {' and '.join(sorted(dict.fromkeys(found)))} on {machine}."


def _machine(run: Run) -> str:
    machine = run.machine
    isa = f" ({', '.join(machine.cpu.isa)})" if machine.cpu.isa else ""
    hidden = f", some of them hidden by {', '.join(machine.hidden)}" if machine.hidden else ""
    threads = f"; threads of the runtime: {machine.threads}" if machine.threads else ""
    versions = {**machine.versions, **machine.toolkits}
    return front.escaped(f"{machine.cpu.model}{isa}{hidden}{threads}; {_listed(versions)}")


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
