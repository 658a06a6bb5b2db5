"""``Paces``: times of candidates, as parts of that of one which they are timed beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fqbench.best.ledger import Ledger
from fqbench.best.roof import int8_gain
from fqbench.best.timing import Effort, Group, pace, times_as_fast
from fqbench.measure import reference, stats
from fqbench.measure.launches import LaunchRecording
from fqbench.measure.stats import Launches
from fqbench.steps.executor import Executor

Times = Mapping[str, Launches]
"""By the names of candidates and of reference kernels."""


class Paces:
    """Times candidates, and enters their times and paces.

    ``gain``: how many times as fast as FP32 INT8 is at most on this CPU, None where that was not
    measured.
    """

    def __init__(self, ledger: Ledger, executor: Executor, threads: int, effort: Effort) -> None:
        self._ledger, self._executor = ledger, executor
        self._threads, self._effort = threads, effort
        self._yardstick: str | None = None
        self._short: dict[str, Times] = {}
        self._full: Times = {}
        self.gain: float | None = None

    def time_shortly(self, names: Sequence[str], *, roof: bool = False) -> None:
        """Time ``names``, with ``roof`` beside the reference kernels, too."""
        timed = self._time([*self._beside(names), *names], full=False, roof=roof)
        self._short.update(dict.fromkeys(timed, timed))
        if roof:
            self.gain = int8_gain(timed)

    def time_fully(self, names: Sequence[str]) -> None:
        """Time ``names``, and what they are compared with."""
        best = self._ledger.fastest(lambda each: each.candidate.is_float)
        beside = [] if best is None or best in names else [best]
        self._full = self._time([*self._beside(names, *beside), *beside, *names], full=True)

    def compare(self, best: str | None) -> None:
        """Enter how many times as fast as the float ``best`` each is, and as FP32 of its runtime,
        from the longest record that has both."""
        for entry in self._ledger.entries:
            cell = entry.candidate.cell
            own = self._ledger.own_fp32(cell.backend, cell.device)
            records = (self._full, self._short.get(entry.name, {}))
            self._ledger.set(
                entry.name,
                to_float=times_as_fast(best, entry.name, *records),
                to_fp32=times_as_fast(own, entry.name, *records),
            )

    def _beside(self, names: Sequence[str], *others: str) -> list[str]:
        """What ``names`` are timed beside: what paces are parts of, and FP32 of the first one's
        runtime."""
        found = [self._yardstick]
        if names:
            cell = self._ledger[names[0]].candidate.cell
            found.append(self._ledger.own_fp32(cell.backend, cell.device))
        chosen = dict.fromkeys(name for name in found if name is not None)
        return [
            name
            for name in chosen
            if name not in (*names, *others) and self._ledger[name].status == "runs"
        ]

    def _time(self, names: Sequence[str], *, full: bool, roof: bool = False) -> Times:
        """Times of ``names``, in turns across backends; their entries then have them."""
        chosen = tuple(self._ledger[name].candidate for name in names)
        if not chosen:
            return {}
        budget = self._effort.full if full else self._effort.short
        note = "fully" if full else "shortly"
        node = Group(chosen, self._threads, budget, note, full=full, roof=roof).measurement()
        recorded: LaunchRecording = self._executor.run([node]).value(node)
        for name, why in recorded.failures.items():
            if name not in reference.KERNELS:
                self._ledger.set(name, status="failed", why=f"cannot be timed: {why}")
        there = [name for name in names if name in recorded.times]
        for name in there:
            times = recorded.times[name]
            self._ledger.set(name, ms=stats.latency(times).p50, launches=len(times))
        self._set_paces(there, recorded.times)
        return recorded.times

    def _set_paces(self, names: Sequence[str], times: Times) -> None:
        """Times as parts of that of the float which was fastest at first, or of what was."""
        if self._yardstick is None:
            there = [self._ledger[name] for name in names]
            floats = [each for each in there if each.candidate.is_float]
            known = [(each.ms.value, each.name) for each in floats or there if each.ms is not None]
            self._yardstick = min(known)[1] if known else None
        if self._yardstick is None or self._yardstick not in times:
            return  # It failed since: paces stay as they are.
        for name in names:
            self._ledger.set(name, pace=pace(times[self._yardstick], times[name]))
