"""Two versions on one machine at one time: each cell of both timed interleaved, then judged."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fqbench.counting import counted, verb
from fqbench.gate.decision import CellEvidence, State, decide, suspects
from fqbench.gate.evidence import (
    SpeedEvidence,
    Tolerances,
    accuracy_evidence,
    find_row,
    left_margin,
    same_files,
)
from fqbench.gate.live.built_version import BuiltVersion
from fqbench.gate.verdict import (
    Decision,
    GateReport,
    count_cells,
    describe_machines,
    describe_tolerances,
    percent,
)
from fqbench.jsonvalue import Json
from fqbench.measure import reference
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import (
    NARROW,
    LaunchRecording,
    MeasurementBudget,
    Process,
    format_counts,
    kernels,
    narrow,
    record,
)
from fqbench.measure.measures import MEASURES, ONCE, Measure, costs
from fqbench.measure.stats import Launches
from fqbench.precisions.own import INT8
from fqbench.steps.observer import Progress

BASE, HEAD = "base", "head"

Pair = tuple[Process, Process]
"""The processes that time a cell of BASE, and of HEAD."""

LAUNCHES: Mapping[Measure | None, TimingBudget] = {
    "throughput": TimingBudget(warm_up=0.2, rounds=6, fewest=2, longest=1.6),
    "memory": ONCE,
    "startup": ONCE,
}
"""Of a measure's launches, where they are not as those of latency."""

TIMING_BUDGET = TimingBudget(warm_up=0.1, block=0.02, rounds=20, fewest=2, longest=0.8)
"""Of one launch: starting a process takes longer than timing it, so longer ones would not help."""


@dataclass(frozen=True)
class ComparisonSettings:
    """How versions are compared.

    ``seconds``: for timing a cell, measured again or not. A minimum of launches is made anyway.
    """

    tolerances: Tolerances = field(default_factory=Tolerances)
    seconds: float = 60.0
    threads: int = 1

    @property
    def budget(self) -> MeasurementBudget:
        """Of one measurement: half of the time, so that the second one can be as good."""
        return self.budget_of(None)

    def budget_of(self, measure: Measure | None) -> MeasurementBudget:
        """The same of a measure that is taken in place of latency."""
        per_launch = LAUNCHES.get(measure, TIMING_BUDGET)
        # Of what each process finds out once, the first one does not count.
        fewest = 7 if per_launch.rounds == 1 else 6
        return MeasurementBudget(fewest, most=40, longest=self.seconds / 2, per_launch=per_launch)


@dataclass(frozen=True)
class CellTimes:
    """The measurements of a cell; ``again``: the second one, where the first left a doubt."""

    first: LaunchRecording
    again: LaunchRecording | None = None

    @property
    def all(self) -> tuple[LaunchRecording, ...]:
        """One or two."""
        return (self.first,) if self.again is None else (self.first, self.again)


def compare_live(
    base: BuiltVersion, head: BuiltVersion, settings: ComparisonSettings, progress: Progress
) -> GateReport:
    """Time what may differ, again what does not prove to be the same, and judge every cell."""
    cells = [_facts(base, head, cell) for cell in dict.fromkeys(_names(head, base))]
    pairs = {
        facts.cell: (base.processes[facts.cell], head.processes[facts.cell])
        for facts in cells
        if facts.base == facts.head == "present" and not facts.unchanged
    }
    timed = time_pairs(pairs, settings, random.Random(), progress)
    beside, compared = _measures(base, head, cells)
    measures = {each.cell: each.measure for each in beside}
    taken = time_pairs(compared, settings, random.Random(), progress, measures)
    found = {**timed, **taken}
    decision = decide(
        [
            with_times(each, found[each.cell]) if each.cell in found else each
            for each in (*cells, *beside)
        ],
        settings.tolerances,
    )
    return GateReport(
        base.label,
        head.label,
        decision,
        cautions=tuple(_other_models(base, head, decision)),
        certainty=(describe_tolerances(settings.tolerances), *_certainty(list(timed.values()))),
        machine=describe_machines(base.results, head.results),
    )


def time_pairs(
    pairs: Mapping[str, Pair],
    settings: ComparisonSettings,
    order: random.Random,
    progress: Progress = lambda text, done, total: None,
    measures: Mapping[str, Measure | None] = MappingProxyType({}),
) -> dict[str, CellTimes]:
    """Time both sides of each cell interleaved, again what does not prove to be the same.

    ``measures``: what is taken of a pair in place of latency.
    """
    found = {}
    for number, (cell, pair) in enumerate(pairs.items()):
        progress(f"time {cell}", number, len(pairs))
        found[cell] = CellTimes(_recorded(pair, settings, order, measures.get(cell)))
    speeds = [speed for cell, each in found.items() if (speed := _speed(cell, each.first))]
    doubted = suspects(speeds, settings.tolerances)
    for number, cell in enumerate(doubted):
        progress(f"time {cell} again", number, len(doubted))
        again = _recorded(pairs[cell], settings, order, measures.get(cell))
        found[cell] = replace(found[cell], again=again)
    return found


def with_times(facts: CellEvidence, timed: CellTimes) -> CellEvidence:
    """``facts`` with the times of the cell. A side whose process failed counts as failed."""
    failures = {side: why for each in timed.all for side, why in each.failures.items()}
    failed = [side for side in (BASE, HEAD) if side in failures]
    return replace(
        facts,
        base="failed" if BASE in failed else "present",
        head="failed" if HEAD in failed else "present",
        reason="; ".join(failures[side] for side in failed),
        speed=_speed(facts.cell, timed.first),
        again=_speed(facts.cell, timed.again) if timed.again is not None else None,
    )


def _recorded(
    pair: Pair,
    settings: ComparisonSettings,
    order: random.Random,
    measure: Measure | None = None,
) -> LaunchRecording:
    """Times of both sides and of the reference kernels, or what ``measure`` compares of both."""
    sides = [
        replace(
            process,
            name=f"{process.name} of {side.upper()}",
            sides=(side,),
            arguments={**process.arguments, "side": side},
        )
        for side, process in zip((BASE, HEAD), pair, strict=True)
    ]

    def found(times: Mapping[str, Launches], side: str) -> Launches:
        return times[side] if measure is None else costs(measure, times[side])

    recorded = record(
        [*sides, kernels(settings.threads)] if measure is None else sides,
        settings.budget_of(measure),
        lambda times: narrow([found(times, side) for side in (BASE, HEAD) if side in times]),
        order=order,
    )
    if measure is None:
        return recorded
    return replace(recorded, times={side: found(recorded.times, side) for side in recorded.times})


def _measures(
    base: BuiltVersion, head: BuiltVersion, cells: Sequence[CellEvidence]
) -> tuple[list[CellEvidence], dict[str, Pair]]:
    """What was asked for beside latency, each as a cell of its own, and what takes it.

    Of cells that are there on both sides: of the others their own verdict says enough.
    """
    found, pairs = [], {}
    for measure in (name for name in MEASURES if name in {**base.measures, **head.measures}):
        before, after = (side.measures.get(measure, {}) for side in (base, head))
        for facts in cells:
            cell, name = facts.cell, f"{facts.cell}: {measure}"
            if not facts.base == facts.head == "present" or cell not in {**before, **after}:
                continue
            ours, theirs = (_presence(cell in side) for side in (before, after))
            found.append(
                CellEvidence(name, ours, theirs, unchanged=facts.unchanged, measure=measure)
            )
            if cell in before and cell in after and not facts.unchanged:
                pairs[name] = before[cell], after[cell]
    return found, pairs


def _presence(there: bool) -> State:
    return "present" if there else "absent"


def _speed(cell: str, recorded: LaunchRecording) -> SpeedEvidence | None:
    if not {BASE, HEAD} <= recorded.times.keys():
        return None
    return SpeedEvidence(cell, recorded.times[BASE], recorded.times[HEAD])


def _names(*sides: BuiltVersion) -> Iterator[str]:
    for side in sides:
        for run in side.results.runs:
            yield from (row.cell for row in run.rows)


def _facts(base: BuiltVersion, head: BuiltVersion, cell: str) -> CellEvidence:
    """Everything known about a cell except its speed."""
    rows = [find_row(side.results, cell) for side in (base, head)]
    return CellEvidence(
        cell,
        _state(base, cell),
        _state(head, cell),
        "; ".join(row.reason for row in rows if row and row.status == "failed" and row.reason),
        _unchanged(base, head, cell),
        accuracy=accuracy_evidence(base.results, head.results, cell),
        left_margin=left_margin(base.results, head.results, cell),
    )


def _state(side: BuiltVersion, cell: str) -> State:
    row = find_row(side.results, cell)
    if row is None or row.status in ("unsupported", "skipped"):
        return "absent"
    return "present" if row.status == "ok" and cell in side.processes else "failed"


def _unchanged(base: BuiltVersion, head: BuiltVersion, cell: str) -> bool:
    """Whether the same code gives the same files and inputs to the same runtime."""
    ours, theirs = (side.processes.get(cell) for side in (base, head))
    return (
        ours is not None
        and theirs is not None
        and base.code == head.code
        and ours.interpreter.executable == theirs.interpreter.executable
        and base.results.machine.versions == head.results.machine.versions
        and same_files(base.results, head.results, cell)
        and _input_of(ours) == _input_of(theirs)
    )


def _input_of(process: Process) -> dict[str, Json]:
    """How a process makes a cell's input, without the paths of its files."""
    cell = process.arguments.get("cell")
    described = cell if isinstance(cell, Mapping) else {}
    return {name: described.get(name) for name in ("reading", "backend", "precision")}


def _other_models(base: BuiltVersion, head: BuiltVersion, decision: Decision) -> Iterator[str]:
    """Of slower cells, those whose INT8 model is not the same on both sides."""
    for cell in (verdict.cell for verdict in decision.verdicts if verdict.status == "slower"):
        row = find_row(head.results, cell)
        is_int8 = row is not None and row.precision == INT8.name
        if is_int8 and not same_files(base.results, head.results, cell):
            yield (
                f"{cell}: the versions made different INT8 models. Which form is fastest is found"
                " out by timing, once for each version's code; where two forms are nearly as fast,"
                " chance decides between them."
            )


def _certainty(timed: Sequence[CellTimes]) -> Iterable[str]:
    recorded = [each for times in timed for each in times.all]
    if not recorded:
        return
    launches = format_counts([len(each.seconds) for each in recorded])
    bound = "bound to one core" if all(each.pinned for each in recorded) else "not bound to a core"
    timed_out = sum(each.stopped == "time" for each in recorded)
    ended = f"known to {percent(NARROW)} to either side"
    if timed_out:
        measurements = counted(len(recorded), "measurement")
        ended += f", or the time was used up, as in {timed_out} of {measurements}"
    yield (
        "Both versions were timed in turns, block by block in random order, in processes started"
        f" from scratch {launches} times per measurement, {bound}. Measuring ended when the change"
        f" was {ended}."
    )
    doubted = sum(each.again is not None for each in timed)
    if doubted:
        was = verb(doubted, "was", "were")
        yield (
            f"{count_cells(doubted)} did not show to be the same and {was} measured again from the"
            " start; the second measurement alone decides."
        )
    speed = reference.speed([each.times for each in recorded])
    if speed is not None:
        yield (
            f"Meanwhile the slow moments of a fixed float32 product took {percent(speed.spread)}"
            " longer than its fast ones."
        )
