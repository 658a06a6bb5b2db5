"""The self-test: suites of identical code and of code slowed on purpose, measured and judged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from fqbench.errors import StepError, UsageError
from fqbench.gate.decision import CellEvidence, decide
from fqbench.gate.live.comparison import (
    BASE,
    HEAD,
    CellTimes,
    ComparisonSettings,
    Pair,
    time_pairs,
    with_times,
)
from fqbench.gate.selftest.replay import (
    FIELDS,
    Launch,
    Pool,
    ReplayOutcome,
    failures,
    replay,
    slowed_summary,
    summary,
)
from fqbench.measure.launches import LaunchRecording, Process
from fqbench.steps.observer import Progress

SLOWDOWNS = (0.0, 0.02, 0.05, 0.10)
CELLS = (
    "digits_mobilenet_v1-onnxruntime-cpu-fp32",
    "digits_mobilenet_v1-onnxruntime-cpu-int8",
    "digits_mobilenet_v1-paddle-cpu-fp32",
    "digits_mobilenet_v1-paddle-cpu-int8",
    "digits_yolov5-onnxruntime-cpu-fp32",
    "digits_yolov5-onnxruntime-cpu-int8",
)
"""What it is tried on unless cells are chosen: small ones, which noise affects most."""

TIME_SLOWED_CELL = "fqbench.gate.selftest.slowdown_injection:time_cell"


@dataclass(frozen=True)
class Suite:
    """All cells measured once: their times, and which cell was slowed by what part of 1."""

    timed: Mapping[str, CellTimes]
    slowed: str | None = None
    slowdown: float = 0.0


@dataclass(frozen=True)
class Count:
    """Of suites of one kind: in how many the slowed cell, or else any cell, was called slower."""

    slowdown: float
    suites: int
    called: int


@dataclass(frozen=True)
class Trial:
    """What the self-test found.

    ``seconds``: what measuring each cell took, over all real and replayed suites, sorted.
    ``pytest_benchmark``: what pytest-benchmark's check calls slower, by field.
    """

    cells: tuple[str, ...]
    real: tuple[Count, ...]
    replayed: tuple[Count, ...]
    seconds: tuple[float, ...]
    pytest_benchmark: Mapping[str, tuple[Count, ...]]


def planned(suites: int) -> list[float]:
    """The slow-downs of all that is to be measured: ``suites`` of none, a quarter of each."""
    return [*[0.0] * suites, *(s for s in SLOWDOWNS[1:] for _ in range((suites + 3) // 4))]


def measure(
    processes: Mapping[str, Process],
    slowdowns: Sequence[float],
    settings: ComparisonSettings,
    order: random.Random,
    progress: Progress,
) -> Iterator[Suite]:
    """A real suite for each of ``slowdowns``, 0 for identical sides.

    Raises StepError where a cell cannot be timed.
    """
    for number, slowdown in enumerate(slowdowns):
        progress(f"suite {number + 1}", number, len(slowdowns))
        suite = _suite(processes, slowdown, settings, order)
        for recorded in (each for timed in suite.timed.values() for each in timed.all):
            for reason in recorded.failures.values():
                raise StepError(reason)
        yield suite


def judge(
    suites: Sequence[Suite],
    repetitions: int,
    settings: ComparisonSettings,
    order: random.Random,
    progress: Progress,
) -> Trial:
    """Count what is called slower in ``suites``, and in ``repetitions`` of each kind drawn of them.

    Raises UsageError where no suite of identical sides was recorded.
    """
    pool = pool_of(suites)
    outcomes: dict[float, list[tuple[str | None, ReplayOutcome]]] = {}
    for slowdown in SLOWDOWNS:
        for number in range(repetitions):
            progress(f"replay {100 * slowdown:g} %", number, repetitions)
            cell = order.choice(sorted(pool)) if slowdown else None
            slow = {cell: slowdown} if cell is not None else {}
            outcomes.setdefault(slowdown, []).append((cell, replay(pool, settings, order, slow)))
    replayed = tuple(
        Count(slowdown, len(found), sum(_called(o.called_slower(), cell) for cell, o in found))
        for slowdown, found in outcomes.items()
    )
    spent = [s for found in outcomes.values() for _, o in found for s in o.seconds.values()]
    spent += [sum(sum(r.seconds) for r in t.all) for suite in suites for t in suite.timed.values()]
    return Trial(
        tuple(pool),
        _real(suites, settings),
        replayed,
        tuple(sorted(spent)),
        _by_pytest_benchmark(suites, order),
    )


def pool_of(suites: Sequence[Suite]) -> Pool:
    """The launches of identical sides, cell by cell, in the order they were measured in."""
    pool: dict[str, list[Launch]] = {}
    for suite in suites:
        for cell, timed in suite.timed.items():
            if cell != suite.slowed:
                for recorded in timed.all:
                    pool.setdefault(cell, []).extend(_launches(recorded))
    if not pool or not all(pool.values()):
        raise UsageError("nothing was recorded of identical sides: measure more by --suites")
    return pool


def _suite(
    processes: Mapping[str, Process],
    slowdown: float,
    settings: ComparisonSettings,
    order: random.Random,
) -> Suite:
    cell = order.choice(sorted(processes)) if slowdown else None
    pairs: dict[str, Pair] = {name: (process, process) for name, process in processes.items()}
    if cell is not None:
        process = processes[cell]
        arguments = {**process.arguments, "slowdown": slowdown}
        pairs[cell] = (process, replace(process, function=TIME_SLOWED_CELL, arguments=arguments))
    return Suite(time_pairs(pairs, settings, order), cell, slowdown)


def _called(slower: Sequence[str], slowed: str | None) -> bool:
    return slowed in slower if slowed is not None else bool(slower)


def _real(suites: Sequence[Suite], settings: ComparisonSettings) -> tuple[Count, ...]:
    called: dict[float, list[bool]] = {}
    for suite in suites:
        evidences = [with_times(CellEvidence(cell), timed) for cell, timed in suite.timed.items()]
        decision = decide(evidences, settings.tolerances)
        slower = [verdict.cell for verdict in decision.verdicts if verdict.status == "slower"]
        called.setdefault(suite.slowdown, []).append(_called(slower, suite.slowed))
    return tuple(Count(slowdown, len(c), sum(c)) for slowdown, c in sorted(called.items()))


def _by_pytest_benchmark(
    suites: Sequence[Suite], order: random.Random
) -> dict[str, tuple[Count, ...]]:
    """Each two suites with identical sides, as pytest-benchmark compares two runs of them."""
    identical = [suite.timed for suite in suites if suite.slowed is None]
    bases, heads = (
        [summary({cell: t.first.times[side] for cell, t in timed.items()}) for timed in identical]
        for side in (BASE, HEAD)
    )
    found: dict[str, tuple[Count, ...]] = {}
    for field in FIELDS:
        counts = []
        for slowdown in SLOWDOWNS:
            called = []
            for base, head in ((bases[i], heads[j]) for i, j in combinations(range(len(bases)), 2)):
                cell = order.choice(sorted(base)) if slowdown else None
                run = head if cell is None else slowed_summary(head, cell, slowdown)
                called.append(_called(failures(base, run, field), cell))
            counts.append(Count(slowdown, len(called), sum(called)))
        found[field] = tuple(counts)
    return found


def _launches(recorded: LaunchRecording) -> list[Launch]:
    if not {BASE, HEAD} <= recorded.times.keys():
        return []
    sides = recorded.times[BASE], recorded.times[HEAD]
    return [Launch(*each) for each in zip(*sides, recorded.seconds, strict=True)]
