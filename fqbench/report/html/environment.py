"""What results were measured on, and what differs from before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fqbench.report.history import when
from fqbench.report.html.datatable import DataTable, table

if TYPE_CHECKING:
    from fqbench.history.records import Since
    from fqbench.machine import MachineFacts


@dataclass(frozen=True)
class EnvironmentView:
    """``facts``: by their names; ``versions``: of packages, a column for each environment.

    ``changed``: what differs from the run before, which ``before`` names; None: none is known.
    """

    facts: tuple[tuple[str, str], ...]
    versions: DataTable
    before: str | None
    changed: DataTable


def environment(machine: MachineFacts, since: Since | None) -> EnvironmentView:
    """Of the machine as results have it; ``since``: what differs from the last run."""
    here = dict.fromkeys(("This environment",), machine["versions"])
    columns = {**here, **machine.get("environments", {})}
    if toolkits := machine.get("toolkits"):
        columns["Other toolkits"] = toolkits
    names = dict.fromkeys(name for found in columns.values() for name in found)
    lines = [(name, *(found.get(name, "-") for found in columns.values())) for name in names]
    versions = table("Packages and their versions", ("Package", *columns), lines)
    found = () if since is None else since.differences
    changed = [(each.name, each.before or "-", each.now or "-") for each in found]
    return EnvironmentView(
        tuple(_facts(machine)),
        versions,
        None if since is None else f"run {since.run.number} of {when(since.run.created)} UTC",
        table("What differs from the last run", ("Fact", "Before", "Now"), changed),
    )


def _facts(machine: MachineFacts) -> Iterator[tuple[str, str]]:
    cpu = machine["cpu"]
    yield "CPU", cpu["model"]
    yield "Instruction sets", ", ".join(cpu["isa"])
    if hidden := machine.get("hidden"):
        yield "Hidden from runtimes by", ", ".join(hidden)
    yield "Cores", str(cpu["cores"])
    if gpu := machine.get("gpu"):
        yield "GPU", f"{gpu['name']}, driver {gpu['driver']}"
    if "memory_gb" in machine:
        yield "Memory", f"{machine['memory_gb']:g} GB"
    if "system" in machine:
        yield "System", machine["system"]
    yield "Threads of a runtime", str(machine["threads"])
    if "pinned" in machine:
        yield "Processes bound to a core", "yes" if machine["pinned"] else "not all"
    if speed := machine.get("reference"):
        yield "float32 multiply-adds", f"{speed['float32']:.0f}·10⁹ a second"
        yield "int8 multiply-adds", f"{speed['int8']:.0f}·10⁹ a second"
        yield "Copies", f"{speed['copy']:.1f} GB a second"
        yield "Slow moments took longer by", f"{100 * speed['spread']:.0f} %"
