"""The winner of a search beside the fastest cells of a full run, timed in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fqbench.artifacts import file_digest
from fqbench.best.candidates import Candidate
from fqbench.best.entry import Found
from fqbench.best.front import NO_DROP, Budget, Figures, verdict
from fqbench.best.timing import Effort
from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.measure.launches import narrow, record
from fqbench.measure.stats import Interval, Launches
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.written import loaded_files
from fqbench.precisions import precision
from fqbench.results import Row
from fqbench.steps import Finished
from fqbench.steps.executor import LocalExecutor
from tools.best_check.checked import Checked

WINNER = "the winner"
"""What its process is called: a cell of the run may have its name, and another file."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: a model's steps by each method, and who runs them."""

    graphs: Sequence[ModelGraph]
    executor: LocalExecutor

    @property
    def name(self) -> str:
        """That of the model."""
        return self.graphs[0].spec.name


def inside(rows: Sequence[Row], budget: Budget) -> list[Row]:
    """Rows that are inside ``budget``, the fastest first."""
    found = []
    for row in rows:
        drop = NO_DROP if precision(row.cell.precision).baseline else row.drop
        if row.status != "ok" or row.latency is None or row.size_mb is None:
            continue
        ms = row.latency.p50
        if verdict(Figures(row.cell.id, ms, ms, row.size_mb, drop), budget) == "inside":
            found.append((ms.value, row.cell.id, row))
    return [row for _, _, row in sorted(found, key=lambda each: each[:2])]


def compared(
    searched: Side, measured: Side, found: Found, rows: Sequence[Row], effort: Effort
) -> Checked:
    """The winner of ``found`` beside ``rows``, timed in turns."""
    drop, seconds = found.budget.drop or 0.0, found.seconds or 0.0
    winner = None if found.winner is None else found.entry(found.winner).candidate
    others = [of_row(measured.graphs[0], row.cell) for row in rows]
    if winner is None or not others:
        first = others[0].name if others else None
        return Checked(searched.name, drop, seconds, found.winner, first, None)
    made, ran = searched.executor.finished, measured.executor.run(e.loads for e in others)
    # Which form is the fastest may be decided otherwise in another store.
    same = {each.name for each in others if loaded(each, ran) == loaded(winner, made)}
    times: Mapping[str, Launches] = {}
    if len(same) < len(others):
        times = timed(winner, made, [each for each in others if each.name not in same], ran, effort)
    ratios = {
        each.name: stats.ratio(times[WINNER], times[each.name])
        for each in others
        if each.name in times and WINNER in times
    }
    ratios.update(dict.fromkeys(same, Interval(1.0, 1.0, 1.0)))
    fastest = max(ratios, key=lambda name: ratios[name].value, default=None)
    ratio = None if fastest is None else ratios[fastest]
    return Checked(searched.name, drop, seconds, winner.name, fastest, ratio)


def loaded(candidate: Candidate, finished: Finished) -> tuple[str, ...]:
    """What has the same times: how it is run, and digests of its files."""
    how = candidate.subject.loadable(finished)
    files = loaded_files(candidate.cell.backend, finished.artifact(candidate.loads))
    return (how.backend, how.device, how.precision, *map(file_digest, files))


def timed(
    winner: Candidate,
    made: Finished,
    others: Sequence[Candidate],
    ran: Finished,
    effort: Effort,
) -> Mapping[str, Launches]:
    """Times of the ``winner``, by ``WINNER``, and of the ``others``, by their names, in turns."""
    processes = [
        winner.subject.process(made, 1, WINNER),
        *(each.subject.process(ran, 1, each.name) for each in others),
    ]
    return record(processes, effort.full, lambda times: narrow(list(times.values()))).times


def of_row(graph: ModelGraph, cell: Cell) -> Candidate:
    """The candidate that a cell of a run is."""
    return Candidate(graph.of(cell), replace(cell, method=None))
