"""What is measured of the candidates, and in which order: most of the time goes to the best.

    make all ─► time all shortly ─► score those that may win, the fastest first ─► time those fully

Only the last choice, among finished files, is by images that are evaluated: all that shapes a file
is by calibration images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from fqbench.artifacts import Artifact
from fqbench.best import front
from fqbench.best.candidates import Candidate
from fqbench.best.front import NO_DROP, Budget, Figures
from fqbench.best.halving import DOUBT, beaten, hopeful, next_to_evaluate
from fqbench.errors import FqbenchError, StepError
from fqbench.measure import stats
from fqbench.measure.accuracy import lost
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import LaunchRecording, MeasurementBudget, Process, narrow, record
from fqbench.measure.stats import Interval, Launches
from fqbench.pipeline import decisions
from fqbench.pipeline.rows import Points, loaded_files, points_of, size_mb
from fqbench.steps import ArtifactNode, Finished, Measurement, Node, Select
from fqbench.steps.executor import Executor
from fqbench.tune.choice import Choice


@dataclass(frozen=True)
class Effort:
    """How long candidates are timed: ``short`` each of them, ``full`` those that may win."""

    short: MeasurementBudget = field(
        default_factory=lambda: MeasurementBudget(
            fewest=2,
            most=2,
            per_launch=TimingBudget(warm_up=0.1, settling=1.0, rounds=10, fewest=4, longest=0.8),
        )
    )
    full: MeasurementBudget = field(default_factory=MeasurementBudget)


EFFORT = Effort()

Status = Literal["runs", "same", "failed"]
"""``same``: its file is that of another candidate, which stands for both."""


@dataclass(frozen=True)
class Entry:
    """What was found out about a candidate. None: not measured.

    ``why``: what ended its part, None where it came to the end: it failed, its file is that of
    another, or it cannot win. ``accuracy`` in points. ``pace``: see ``Figures``. ``to_float``: how
    many times as fast it is as the fastest float of any runtime, ``to_fp32`` as FP32 of its own.
    ``launches``: how often its process was started for its time; ``choice``: which
    layers are in float, and why, where they were chosen here.
    """

    candidate: Candidate
    artifact: Artifact | None = None
    size: float | None = None
    ms: Interval | None = None
    pace: Interval | None = None
    launches: int = 0
    accuracy: float | None = None
    drop: Interval | None = None
    to_float: Interval | None = None
    to_fp32: Interval | None = None
    choice: Choice | None = None
    took_fp32: bool = False
    status: Status = "runs"
    why: str | None = None

    @property
    def name(self) -> str:
        """That of the candidate."""
        return self.candidate.name

    @property
    def figures(self) -> Figures | None:
        """What is judged by; None where it was not timed."""
        if self.ms is None or self.pace is None or self.size is None:
            return None
        return Figures(self.name, self.ms, self.pace, self.size, self.drop)


@dataclass(frozen=True)
class Found:
    """What ``find`` found, the entries in the order of their candidates.

    ``finalists``: names of those that were timed fully and may win; ``best_float``: the fastest
    float of any runtime; ``winner`` is inside of the budget; ``second`` is what is nearest to
    winning, ``nearest`` what is nearest to being inside where nothing is.
    """

    budget: Budget
    entries: tuple[Entry, ...]
    finalists: tuple[str, ...] = ()
    best_float: str | None = None
    winner: str | None = None
    second: str | None = None
    nearest: str | None = None

    def entry(self, name: str) -> Entry:
        """The entry of that name."""
        return next(each for each in self.entries if each.name == name)

    @property
    def front(self) -> tuple[str, ...]:
        """Names of those that no other dominates."""
        known = [
            each.figures
            for each in self.entries
            if each.figures is not None and each.status == "runs"
        ]
        return tuple(each.name for each in front.front(known))


def planned(candidates: Sequence[Candidate]) -> list[Node]:
    """All that is made or evaluated at most; what cannot be planned is left out."""
    found: list[Node] = []
    for each in candidates:
        try:
            found += each.making
            if each.graph.spec.labelled:
                found.append(each.graph.score(each.cell))
        except FqbenchError:
            continue
    return found


def find(
    candidates: Sequence[Candidate],
    budget: Budget,
    executor: Executor,
    threads: int = 1,
    effort: Effort | None = None,
) -> Found:
    """Make, time and evaluate ``candidates`` as far as each may win.

    One that fails fails alone. Raises StepError where none of them runs.
    """
    return _Search(candidates, budget, executor, threads, effort or EFFORT).found()


class _Search:
    """Holds what is known meanwhile, by name."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        budget: Budget,
        executor: Executor,
        threads: int,
        effort: Effort,
    ) -> None:
        self._entries = {each.name: Entry(each) for each in candidates}
        self._budget, self._executor = budget, executor
        self._threads, self._effort = threads, effort
        self._points: dict[str, Points] = {}
        self._yardstick: str | None = None

    def found(self) -> Found:
        """The whole search."""
        self._make()
        short = self._time(list(self._running), self._effort.short, "shortly", lambda _: True)
        reference = self._reference()
        if reference is not None:
            self._evaluate_hopeful(reference)
        finalists = [each.name for each in hopeful(self._figures(), self._budget, DOUBT)]
        opponents = self._opponents(finalists)
        timed = list(dict.fromkeys([*opponents, *finalists]))
        full = self._time(timed, self._effort.full, "fully", partial(_is_narrow, timed))
        self._tell_beaten(finalists)
        best_float = self._fastest(lambda each: each.candidate.is_float)
        self._compare(full, short, best_float)
        among = [each for each in self._figures() if each.name in finalists]
        first = front.winner(among, self._budget)
        if first is not None and reference is not None:
            self._evaluate_winner(first.name, reference)
        everything = self._figures()
        second = front.runner_up(everything, first, self._budget) if first is not None else None
        near = front.nearest(everything, self._budget) if first is None else None
        return Found(
            self._budget,
            tuple(self._entries.values()),
            tuple(finalists),
            best_float,
            first.name if first is not None else None,
            second.name if second is not None else None,
            near.name if near is not None else None,
        )

    def _set(self, name: str, **changes: object) -> None:
        self._entries[name] = replace(self._entries[name], **changes)  # type: ignore[arg-type]

    @property
    def _running(self) -> dict[str, Entry]:
        return {name: each for name, each in self._entries.items() if each.status == "runs"}

    def _figures(self) -> list[Figures]:
        """Of those that run, timed as they are by now."""
        found = [each.figures for each in self._running.values()]
        return [each for each in found if each is not None]

    def _make(self) -> None:
        """All files, and what is known of them. Equal ones that run alike are one candidate."""
        wanted: list[Node] = []
        for name, entry in self._entries.items():
            try:
                wanted += entry.candidate.making
            except FqbenchError as error:
                self._set(name, status="failed", why=f"cannot be made: {error}")
        finished = self._executor.run(wanted)
        known: dict[tuple[str, str, str, str], Entry] = {}
        for name in list(self._running):
            self._know(name, finished)
            entry = self._entries[name]
            if entry.artifact is None:
                continue
            cell = entry.candidate.cell
            # A runtime may run one file in several precisions.
            asked = entry.candidate.subject.loadable(finished).precision
            identity = (cell.backend, cell.device, asked, entry.artifact.key)
            same = known.setdefault(identity, entry)
            if same is not entry:
                self._set(name, status="same", why=_why_same(entry, same))
        if not self._running:
            reasons = "; ".join(f"{n}: {each.why}" for n, each in self._entries.items())
            raise StepError(f"nothing runs here: {reasons}")

    def _know(self, name: str, finished: Finished) -> None:
        candidate = self._entries[name].candidate
        try:
            artifact = finished.artifact(candidate.loads)
            size = size_mb(loaded_files(candidate.cell.backend, artifact))
            drop = NO_DROP if candidate.is_fp32 else None
            took = _took_fp32(candidate.graph.network(candidate.cell), finished)
            self._set(name, artifact=artifact, size=size, drop=drop, took_fp32=took)
            self._set(name, choice=_choice(candidate, finished))
        except FqbenchError as error:
            self._set(name, status="failed", why=f"cannot be made: {error}")

    def _time(
        self,
        names: Sequence[str],
        budget: MeasurementBudget,
        note: str,
        enough: Callable[[Mapping[str, Launches]], bool],
    ) -> Mapping[str, Launches]:
        """Times of ``names``, in turns across backends; their entries then have them."""
        chosen = [self._entries[name].candidate for name in names]
        if not chosen:
            return {}
        node = timing(chosen, self._threads, budget, enough, note)
        recorded: LaunchRecording = self._executor.run([node]).value(node)
        for name, why in recorded.failures.items():
            self._set(name, status="failed", why=f"cannot be timed: {why}")
        for name, times in recorded.times.items():
            self._set(name, ms=stats.latency(times).p50, launches=len(times))
        self._set_paces(recorded.times)
        if not recorded.times:
            reasons = "; ".join(recorded.failures.values())
            raise StepError(f"nothing could be timed: {reasons}")
        return recorded.times

    def _set_paces(self, times: Mapping[str, Launches]) -> None:
        """Times as parts of that of the float which was fastest at first, or of what was."""
        if self._yardstick is None:
            there = [self._entries[name] for name in times]
            floats = [each for each in there if each.candidate.is_float]
            known = [(each.ms.value, each.name) for each in floats or there if each.ms is not None]
            self._yardstick = min(known)[1] if known else None
        if self._yardstick is None or self._yardstick not in times:
            return  # It failed since: paces stay as they are.
        for name, measured in times.items():
            self._set(name, pace=_pace(times[self._yardstick], measured))

    def _fastest(self, fits: Callable[[Entry], bool]) -> str | None:
        """The fastest of those that ``fits``."""
        known = [
            (each.pace.value, each.name)
            for each in self._running.values()
            if each.pace is not None and fits(each)
        ]
        return min(known)[1] if known else None

    def _reference(self) -> str | None:
        """The FP32 that drops are counted from, evaluated; None where none can be.

        It is the fastest: what FP32 answers hardly depends on what runs it.
        """
        while (name := self._fastest(lambda each: each.candidate.is_fp32)) is not None:
            if not self._entries[name].candidate.graph.spec.labelled:
                return None
            self._evaluate(name)
            if name in self._points:
                return name
        return None

    def _evaluate_hopeful(self, reference: str) -> None:
        """Accuracy of those that may win, the fastest first, until no other may."""
        failed: set[str] = set()
        while (each := next_to_evaluate(self._figures(), self._budget, failed)) is not None:
            self._evaluate(each.name)
            if each.name in self._points:
                drop = lost(self._points[reference], self._points[each.name])
                self._set(each.name, drop=drop)
            else:
                failed.add(each.name)

    def _evaluate(self, name: str) -> None:
        """The accuracy of one."""
        candidate = self._entries[name].candidate
        try:
            node: ArtifactNode = candidate.graph.score(candidate.cell)
            points = points_of(self._executor.run([node]).artifact(node))
        except FqbenchError as error:
            self._set(name, status="failed", why=f"cannot be evaluated: {error}")
            return
        self._points[name] = points
        self._set(name, accuracy=float(points[0]))

    def _evaluate_winner(self, name: str, reference: str) -> None:
        """Another FP32 than that of ``reference`` is not evaluated before it wins."""
        entry = self._entries[name]
        if entry.accuracy is None and entry.candidate.graph.spec.labelled and name != reference:
            self._evaluate(name)

    def _opponents(self, finalists: Sequence[str]) -> tuple[str, ...]:
        """What the winner is compared with: the best float, and FP32 of its own runtime."""
        found = [self._yardstick, self._fastest(lambda each: each.candidate.is_float)]
        if finalists:
            cell = self._entries[finalists[0]].candidate.cell
            found.append(self._own_fp32(cell.backend, cell.device))
        return tuple(name for name in found if name is not None)

    def _own_fp32(self, backend: str, device: str) -> str | None:
        return self._fastest(
            lambda each: (
                each.candidate.is_fp32
                and (each.candidate.cell.backend, each.candidate.cell.device) == (backend, device)
            )
        )

    def _tell_beaten(self, finalists: Sequence[str]) -> None:
        """Say of the others why they were left."""
        others = beaten(self._figures(), self._budget, DOUBT)
        for figures in self._figures():
            if figures.name in finalists:
                continue
            by = others.get(figures.name)
            if by is not None:
                self._set(figures.name, why=f"slower than {self._entries[by].candidate.label}")

    def _compare(
        self, full: Mapping[str, Launches], short: Mapping[str, Launches], best: str | None
    ) -> None:
        """How many times as fast as float each is, from the longest record that has both."""
        for name, entry in self._entries.items():
            cell = entry.candidate.cell
            own = next(
                (
                    each.name
                    for each in self._entries.values()
                    if each.candidate.is_fp32
                    and (each.candidate.cell.backend, each.candidate.cell.device)
                    == (cell.backend, cell.device)
                ),
                None,
            )
            self._set(
                name,
                to_float=_ratio(best, name, full, short),
                to_fp32=_ratio(own, name, full, short),
            )


def timing(
    candidates: Sequence[Candidate],
    threads: int,
    budget: MeasurementBudget,
    enough: Callable[[Mapping[str, Launches]], bool],
    note: str,
) -> Measurement:
    """Times of candidates of any backends, in turns: a ``LaunchRecording`` by their names.

    Their files are made.
    """
    nodes = tuple(node for each in candidates for node in each.making)
    take = partial(_timed, tuple(candidates), threads, budget, enough)
    return Measurement("time", candidates[0].cell.model, nodes, take, note)


def _timed(
    candidates: Sequence[Candidate],
    threads: int,
    budget: MeasurementBudget,
    enough: Callable[[Mapping[str, Launches]], bool],
    finished: Finished,
    report: Callable[[str, int, int], None],
) -> LaunchRecording:
    processes: list[Process] = []
    failures: dict[str, str] = {}
    for each in candidates:
        try:
            processes.append(each.subject.process(finished, threads, each.name))
        except FqbenchError as error:
            failures[each.name] = str(error)
    recorded = record(
        processes,
        budget,
        enough,
        on_launch=lambda done, most: report(f"launch {done}", done, most),
    )
    return replace(recorded, failures={**recorded.failures, **failures})


def _is_narrow(names: Sequence[str], times: Mapping[str, Launches]) -> bool:
    there = [times[name] for name in names if name in times]
    return not there or narrow(there)


def _ratio(reference: str | None, name: str, *records: Mapping[str, Launches]) -> Interval | None:
    """How many times as fast ``name`` is, by the first of ``records`` that has both."""
    if reference is None or reference == name:
        return None
    for times in records:
        if reference in times and name in times:
            return stats.ratio(times[reference], times[name])
    return None


def _pace(yardstick: Launches, times: Launches) -> Interval:
    """``times`` as a part of those of the yardstick, which is of the same launches."""
    if times is yardstick:
        return Interval(1.0, 1.0, 1.0)
    found = stats.ratio(yardstick, times)
    return Interval(1 / found.value, 1 / found.high, 1 / found.low)


def _took_fp32(network: ArtifactNode, finished: Finished) -> bool:
    return isinstance(network, Select) and finished.option(network) == decisions.FP32


def _choice(candidate: Candidate, finished: Finished) -> Choice | None:
    """Which layers of it are in float, where they were chosen here."""
    graph = candidate.graph
    if candidate.method is None or graph.quantizer.yields != "quantization":
        return None
    node = graph.choice(candidate.cell.backend)
    if node not in finished:
        return None
    return decisions.choice_of(finished.artifact(node))


def _why_same(entry: Entry, same: Entry) -> str:
    if entry.took_fp32 and entry.choice is not None and entry.choice.slowdown is not None:
        return (
            f"float is faster: INT8 would take {entry.choice.slowdown:.2f} times as long as FP32"
            " of its runtime"
        )
    return f"the same file as {same.candidate.label}"
