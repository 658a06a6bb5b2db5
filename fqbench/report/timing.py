"""How latencies were taken, and what the machine did meanwhile, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fqbench.measure.launches import NARROW, format_counts
from fqbench.results import Row

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts, SpeedFacts


def sentences(rows: Sequence[Row], machine: MachineFacts) -> tuple[str, ...]:
    """What the figures stand on."""
    timed = [row for row in rows if row.launches is not None]
    return (*_launches(timed), *_reference(machine.get("reference")))


def _launches(rows: Sequence[Row]) -> tuple[str, ...]:
    if not rows:
        return ()
    often = format_counts([row.launches for row in rows if row.launches is not None])
    bound = (
        "bound to one core"
        if all(row.pinned for row in rows)
        else "not all bound to a core, which this system does not allow"
    )
    wide = sorted({_group(row) for row in rows if row.stopped == "time"})
    ended = f"Timing ended when ratios were known to {100 * NARROW:g} % to either side"
    if wide:
        ended += f"; not so within the time given: {', '.join(wide)}"
    return (
        "All cells of a model and device were timed in turns, in processes started"
        f" {often} times, {bound};"
        f" intervals show how figures differ from start to start. {ended}.",
    )


def _reference(speed: SpeedFacts | None) -> tuple[str, ...]:
    if speed is None:
        return ()
    return (
        f"Meanwhile the machine did {speed['float32']:.0f} float32 and {speed['int8']:.0f} int8"
        f" multiply-adds (10^9 a second) in fixed matrix products, copied {speed['copy']:.1f} GB a"
        f" second, and its slow moments took {100 * speed['spread']:.0f} % longer than its fast"
        " ones. Of peak is the share of those speeds that an inference reached, in FP32 and in"
        " INT8.",
    )


def _group(row: Row) -> str:
    return f"{row.cell.model} on the {row.cell.device.upper()}"
