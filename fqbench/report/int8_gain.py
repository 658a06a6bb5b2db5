"""Why INT8 is no faster than the fastest float, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fqbench.backends import label_of
from fqbench.measure.int8_gain import Int8Gain, Part
from fqbench.report.best_float import label
from fqbench.report.table import interval, is_best_float, method_label
from fqbench.results import Row

LEAST = 0.005
"""Share of the time below which a part is left out."""


def sentences(rows: Sequence[Row]) -> tuple[str, ...]:
    """One or two sentences for each INT8 cell that is no faster than the fastest float."""
    return tuple(
        f"{_who(row)}: {_against(row, rows)}{_why(row, row.int8_gain)}"
        for row in rows
        if row.int8_gain is not None
    )


def _who(row: Row) -> str:
    made = "" if row.cell.method is None else f" by {method_label(row.cell.method)}"
    return f"{row.cell.model} on {label_of(row.cell.backend)}{made}"


def _against(row: Row, rows: Sequence[Row]) -> str:
    """How it compares with the fastest float, and whose slowness that is."""
    best = row.best_float
    if best is None or row.slowdown is not None:  # Then FP32 runs, and was timed.
        return ""
    if best.ratio.high < 1.0:
        times = f"{1 / best.ratio.value:.2f} times as long as"
        said = f"float is faster here, INT8 takes {times} {label(best.cell)}"
    else:
        times = f"{interval(best.ratio)} times as fast as"
        said = f"INT8 is not certainly faster than float here, it is {times} {label(best.cell)}"
    own = next((each for each in rows if each.cell == row.cell.baseline), None)
    if own is None or own.best_float is None or is_best_float(own):
        return f"{said}. "
    slower = f"{1 / own.best_float.ratio.value:.2f} times as long as that"
    return f"{said}; FP32 on {label_of(row.cell.backend)} takes {slower}. "


def _why(row: Row, gain: Int8Gain) -> str:
    """Where the time of FP32 is, and what becomes of it in INT8."""
    total = gain.total
    listed = ", ".join(filter(None, _parts(gain, total.fp32_ms)))
    added = gain.conversions.int8_ms - gain.conversions.fp32_ms
    conversions = ""
    if added > LEAST * total.fp32_ms:
        conversions = f"; INT8 adds {added:.2f} ms of conversions"
    return (
        f"Of the {total.fp32_ms:.2f} ms that FP32 takes there by the runtime's own profile"
        f" ({total.int8_ms:.2f} in INT8), {listed}{conversions}."
    )


def _parts(gain: Int8Gain, total: float) -> Iterator[str]:
    def share(part: Part) -> str:
        return f"{100 * part.fp32_ms / total:.0f} %"

    if _counts(gain.faster, total):
        times = gain.faster.fp32_ms / gain.faster.int8_ms
        yield f"{share(gain.faster)} is in layers that INT8 makes {times:.1f} times as fast"
    nothing = gain.depthwise + gain.no_faster + gain.in_float
    if _counts(nothing, total):
        kinds = (
            (gain.depthwise, "depthwise"),
            (gain.no_faster, "others in integers"),
            (gain.in_float, "in float"),
        )
        there = [(part, name) for part, name in kinds if _counts(part, total)]
        named = ", ".join(
            name if len(there) == 1 else f"{share(part)} {name}" for part, name in there
        )
        yield (
            f"{share(nothing)} in layers that gain nothing ({named}; {nothing.int8_ms:.2f} ms in"
            " INT8)"
        )
    if _counts(gain.operators, total):
        after = f"{gain.operators.int8_ms:.2f} ms in INT8"
        yield f"{share(gain.operators)} in other operators ({after})"


def _counts(part: Part, total: float) -> bool:
    return max(part.fp32_ms, part.int8_ms) > LEAST * total
