"""Whether ``fqbench best`` finds what a full run finds, and how long it takes.

    python -m tools.best_check SPEC ... [--models NAME ...] [--data-root DIR] [--drop N ...]
                                        [--store DIR]

Each model is searched once for each drop, the first time with an empty store, which is removed in
the end: its seconds are what a user waits. Then ``fqbench run`` measures every cell that was a
candidate, with the store of ``--store``, so that what was evaluated there before is not evaluated
again. Of its cells inside the budget the fastest are timed in turns with the winner of ``best``:
printed are the fastest one, how many times as long as it the winner takes, and the seconds that
``best`` took; then how many candidates there were, where these seconds went, and the front. Goals
are 1.03 and 600. Ends with 1 where one is missed, or a model fails; with 2 where an option or a
spec is not usable.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store, default_root
from fqbench.best.candidates import candidates, default_methods
from fqbench.best.entry import Found
from fqbench.best.front import JUDGE, JUDGES, Budget
from fqbench.best.search import find
from fqbench.best.timing import Effort
from fqbench.cells import Selection
from fqbench.cli.display import display
from fqbench.errors import FqbenchError, UsageError
from fqbench.margins import default_margins_path, load_margins
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.run import run
from fqbench.report.best import ordered, told
from fqbench.steps.executor import LocalExecutor
from tools.best_check.checked import COLUMNS, Checked
from tools.best_check.comparison import Side, compared, inside
from tools.best_check.tally import Tally

DROPS = (0.5, 0.0)
COMPARED = 3
"""Cells of the run, the fastest inside the budget, that are timed beside the winner."""


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
    console = Console(width=160)
    console.print(table)
    for text in (text for each in found for text in each.details()):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
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
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        default=default_root(),
        help="that of the full run (default: that of fqbench run)",
    )
    return parser.parse_args(arguments)


def checked(options: argparse.Namespace, effort: Effort) -> Iterator[Checked]:
    """All models and drops. Raises UsageError."""
    if not options.spec and not options.models:
        raise UsageError("no model is named: give spec files, or --models with names of the zoo")
    errors = Console(stderr=True)
    files: list[tuple[list[Path], list[str] | None]] = [([path], None) for path in options.spec]
    for paths, names in (*files, *(([], [name]) for name in options.models or ())):
        with tempfile.TemporaryDirectory() as folder, display(errors, quiet=False) as shown:
            tally = Tally(shown)
            searching = sides(paths, names, options, LocalExecutor(Store(Path(folder)), tally))
            running = sides(paths, names, options, LocalExecutor(Store(options.store), shown))
            for searched, measured in zip(searching, running, strict=True):
                try:
                    yield from of_model(searched, measured, options, tally, effort)
                except FqbenchError as error:
                    yield Checked(searched.name, None, 0.0, failure=str(error))


def sides(
    paths: Sequence[Path],
    names: Sequence[str] | None,
    options: argparse.Namespace,
    executor: LocalExecutor,
) -> list[Side]:
    """Each model with all methods. Raises UsageError where a spec or a method is not usable.

    Models of the zoo are in the store, too.
    """
    specs, problems = find_specs(paths, names, options.data_root, executor)
    if problems:
        raise UsageError("; ".join(problems))
    found = []
    for spec in specs:
        graphs: dict[str, ModelGraph] = {}
        for method in options.methods:
            ready = prepare([spec], executor, method=method)
            if ready.problems:
                raise UsageError("; ".join(ready.problems))
            graph = ready.models[0].graph
            graphs.setdefault(graph.method, graph)
        found.append(Side(list(graphs.values()), executor))
    return found


def of_model(
    searched: Side, measured: Side, options: argparse.Namespace, tally: Tally, effort: Effort
) -> Iterator[Checked]:
    """One model for each drop."""
    chosen = None if options.backends is None else tuple(options.backends)
    selection = Selection(backends=chosen)
    tried = list(candidates(searched.graphs, selection.cells([searched.name])))
    budgets = [Budget(drop=drop, judge=options.judge) for drop in options.drop]
    tally.taken()  # What was made before is no part of a search.
    results = []
    for budget in budgets:
        found = find(tried, budget, searched.executor, effort=effort)
        results.append((budget, found, tally.taken()))
    cells = replace(selection, methods=tuple(options.methods)).cells([searched.name])
    request = Request(cells, load_margins(default_margins_path()), budget=effort.full)
    rows = run([plan(measured.graphs[0], request)], measured.executor).rows
    for budget, found, spent in results:
        fastest = inside(rows, budget)[:COMPARED]
        yield described(found, spent, compared(searched, measured, found, fastest, effort))


def described(found: Found, spent: Mapping[str, float], checked: Checked) -> Checked:
    """``checked`` with what is told about the search."""
    statuses: Counter[str] = Counter(entry.status for entry in found.entries)
    on_front = tuple(told(entry) for entry in ordered(found) if entry.name in found.front)
    return replace(checked, statuses=dict(statuses.most_common()), spent=spent, front=on_front)


if __name__ == "__main__":
    sys.exit(main())
