"""Whether ``fqbench best`` finds what a full run finds, and how long it takes.

    python -m tools.best_check SPEC ... [--models NAME ...] [--data-root DIR] [--drop N ...]

Each model is searched once for each drop, the first time with an empty store, which is removed in
the end. Then ``fqbench run`` measures every cell that was a candidate. Of its cells inside the
budget the fastest are timed in turns with the winner of ``best``: printed are the fastest one, how
many times as long as it the winner takes, and the seconds that ``best`` took. Goals are 1.03 and
600. Ends with 1 where one is missed, or a model fails; with 2 where an option or a spec is not
usable.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store
from fqbench.best.candidates import Candidate, candidates, default_methods
from fqbench.best.entry import Found
from fqbench.best.front import JUDGE, JUDGES, NO_DROP, Budget, Figures, verdict
from fqbench.best.search import find
from fqbench.best.timing import Effort, Group
from fqbench.cells import Cell, Selection
from fqbench.cli.display import display
from fqbench.errors import FqbenchError, UsageError
from fqbench.margins import default_margins_path, load_margins
from fqbench.measure import stats
from fqbench.measure.stats import Interval
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.run import run
from fqbench.precisions import precision
from fqbench.results import Row
from fqbench.spec import ModelSpec
from fqbench.steps.executor import LocalExecutor

DROPS = (0.5, 0.0)
LONGEST = 600.0
SLOWEST = 1.03
COMPARED = 3
"""Cells of the run, the fastest inside the budget, that are timed beside the winner."""

COLUMNS = ("Model", "Drop", "Winner", "Fastest cell inside", "Time ratio", "95 %", "s", "")


@dataclass(frozen=True)
class Checked:
    """What became of one model and drop: None where there is no winner, or nothing inside.

    ``ratio``: time of the winner over that of the fastest cell. ``failure``: why the model failed,
    None where it did not.
    """

    model: str
    drop: float | None
    seconds: float
    winner: str | None = None
    fastest: str | None = None
    ratio: Interval | None = None
    failure: str | None = None

    @property
    def missed(self) -> list[str]:
        """The goals that are missed."""
        found = [] if self.failure is None else [f"failed: {self.failure}"]
        if (self.winner is None) != (self.fastest is None):
            found.append("one of them finds nothing")
        if self.ratio is not None and self.ratio.value > SLOWEST:
            found.append("slower")
        if self.seconds > LONGEST:
            found.append("too long")
        return found

    def line(self) -> tuple[str, ...]:
        """By ``COLUMNS``."""
        ratio = self.ratio
        return (
            self.model,
            "" if self.drop is None else f"{self.drop:g}",
            self.winner or "nothing",
            self.fastest or "nothing",
            "" if ratio is None else f"{ratio.value:.3f}",
            "" if ratio is None else f"{ratio.low:.3f} to {ratio.high:.3f}",
            f"{self.seconds:.0f}",
            ", ".join(self.missed) or "reached",
        )


def main(arguments: Sequence[str] | None = None, effort: Effort | None = None) -> int:
    options = parsed(arguments)
    try:
        found = list(checked(options, effort or Effort()))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    table = Table(*COLUMNS)
    for each in found:
        table.add_row(*each.line())
    Console(width=160).print(table)
    return int(any(each.missed for each in found) or not found)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tools.best_check", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("spec", type=Path, nargs="*", metavar="SPEC")
    parser.add_argument("--models", nargs="+", metavar="NAME")
    parser.add_argument("--data-root", type=Path, metavar="DIR")
    parser.add_argument("--backends", nargs="+", metavar="NAME")
    parser.add_argument("--methods", nargs="+", metavar="NAME", default=default_methods())
    parser.add_argument("--drop", type=float, nargs="+", default=DROPS, metavar="N")
    parser.add_argument("--judge", choices=JUDGES, default=JUDGE)
    return parser.parse_args(arguments)


def checked(options: argparse.Namespace, effort: Effort) -> Iterator[Checked]:
    """All models and drops. Raises UsageError."""
    if not options.spec and not options.models:
        raise UsageError("no model is named: give spec files, or --models with names of the zoo")
    errors = Console(stderr=True)
    files: list[tuple[list[Path], list[str] | None]] = [([path], None) for path in options.spec]
    for paths, names in (*files, *(([], [name]) for name in options.models or ())):
        # Models of the zoo are in the store, too.
        with tempfile.TemporaryDirectory() as folder, display(errors, quiet=False) as observer:
            executor = LocalExecutor(Store(Path(folder)), observer)
            specs, problems = find_specs(paths, names, options.data_root, executor)
            if problems:
                raise UsageError("; ".join(problems))
            for spec in specs:
                graphs = graphs_of(spec, options.methods, executor)
                try:
                    yield from of_model(graphs, options, executor, effort)
                except FqbenchError as error:
                    yield Checked(spec.name, None, 0.0, failure=str(error))


def graphs_of(spec: ModelSpec, methods: Sequence[str], executor: LocalExecutor) -> list[ModelGraph]:
    """The steps of a model by each method. Raises UsageError where one is not usable."""
    found: dict[str, ModelGraph] = {}
    for method in methods:
        ready = prepare([spec], executor, method=method)
        if ready.problems:
            raise UsageError("; ".join(ready.problems))
        graph = ready.models[0].graph
        found.setdefault(graph.method, graph)
    return list(found.values())


def of_model(
    graphs: Sequence[ModelGraph],
    options: argparse.Namespace,
    executor: LocalExecutor,
    effort: Effort,
) -> Iterator[Checked]:
    """One model for each drop; ``graphs``: one a method."""
    chosen = None if options.backends is None else tuple(options.backends)
    selection = Selection(backends=chosen)
    tried = list(candidates(graphs, selection.cells([graphs[0].spec.name])))
    budgets = [Budget(drop=drop, judge=options.judge) for drop in options.drop]
    searched = [find(tried, budget, executor, effort=effort) for budget in budgets]
    cells = replace(selection, methods=tuple(options.methods)).cells([graphs[0].spec.name])
    request = Request(cells, load_margins(default_margins_path()), budget=effort.full)
    rows = run([plan(graphs[0], request)], executor).rows
    for budget, found in zip(budgets, searched, strict=True):
        yield compared(graphs[0], found, inside(rows, budget)[:COMPARED], executor, effort)


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
    graph: ModelGraph,
    found: Found,
    rows: Sequence[Row],
    executor: LocalExecutor,
    effort: Effort,
) -> Checked:
    """The winner of ``found`` beside ``rows``, timed in turns."""
    drop, seconds = found.budget.drop or 0.0, found.seconds or 0.0
    winner = None if found.winner is None else found.entry(found.winner).candidate
    others = [of_row(graph, row.cell) for row in rows]
    if winner is None or not others:
        first = others[0].name if others else None
        return Checked(graph.spec.name, drop, seconds, found.winner, first, None)
    unique = {each.name: each for each in (*others, winner)}
    group = Group(tuple(unique.values()), 1, effort.full, "winner and fastest", full=True)
    node = group.measurement()
    times = executor.run([node]).value(node).times
    ratios = {
        each.name: Interval(1.0, 1.0, 1.0)
        if each.name == winner.name
        else stats.ratio(times[winner.name], times[each.name])
        for each in others
        if each.name in times and winner.name in times
    }
    fastest = max(ratios, key=lambda name: ratios[name].value, default=None)
    ratio = None if fastest is None else ratios[fastest]
    return Checked(graph.spec.name, drop, seconds, winner.name, fastest, ratio)


def of_row(graph: ModelGraph, cell: Cell) -> Candidate:
    """The candidate that a cell of a run is."""
    return Candidate(graph.of(cell), replace(cell, method=None))


if __name__ == "__main__":
    sys.exit(main())
