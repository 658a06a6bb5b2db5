"""``fqbench run``: from the chosen cells to results in terminal, files and history."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from rich.console import Console

from fqbench import machine
from fqbench.artifacts import Store, default_root
from fqbench.cells import Selection
from fqbench.cli.display import display, show_plan
from fqbench.cli.options import data_root, positive
from fqbench.cli.output import (
    BAD_INPUT,
    CELL_FAILED,
    DONE,
    add_shown,
    print_error,
    print_json,
    say,
)
from fqbench.cli.selection import (
    add_build_options,
    add_measure,
    add_selection,
    measures_of,
    selection_of,
    separated,
)
from fqbench.counting import counted
from fqbench.environments import HERE
from fqbench.errors import UsageError
from fqbench.fileio import check_writable
from fqbench.history import keeping
from fqbench.margins import default_margins_path, load_margins
from fqbench.measure import reference
from fqbench.measure.measures import failures
from fqbench.methods import DEFAULT, methods, offered
from fqbench.pipeline.cell_steps import ModelSteps, Request, plan
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run as run_planned
from fqbench.precisions import precisions
from fqbench.report import markdown, terminal
from fqbench.report.html import render
from fqbench.results import Results, Row
from fqbench.steps.executor import LocalExecutor


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``fqbench run`` takes, and what it does."""
    parser.description = (
        "Quantize, measure and evaluate the chosen cells. With no option: the embedded models on"
        " everything that runs here."
    )
    add_selection(parser)
    add_build_options(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        action="extend",
        type=separated,
        metavar="NAME",
        help=f"INT8 by several methods beside each other, among {', '.join(offered())}",
    )
    parser.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="images of one inference that is timed on a GPU (default: 1)",
    )
    add_measure(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("fqbench-out"),
        metavar="DIR",
        help="where results go (default: fqbench-out)",
    )
    add_shown(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench run``: results of the chosen cells, in the terminal and in files."""
    selection = _selection(options)
    check_writable(options.out)
    folder = _Folder(options.out, options.threads, keeping.Keeper(Path.cwd()))
    with display(errors, quiet=options.quiet) as observer:
        executor = LocalExecutor(Store(default_root()), observer)
        planned, problems = _planned(options, selection, executor)
        for problem in problems:
            print_error(errors, problem)
        if options.dry_run:
            nodes = [node for model in planned for node in model.nodes]
            show_plan(nodes, executor, as_json=options.json)
            return BAD_INPUT if problems else DONE
        outcome = run_planned(planned, executor, folder.write_so_far)
    if outcome.rows:
        results = folder.write(outcome)
        if options.json:
            print_json(results.to_json())
        else:
            terminal.show(results, Console(), report=folder.report, verbose=options.verbose)
        folder.finish(results, outcome)
        say(errors, f"Written: {options.out}/results.json, {folder.report}, {folder.page}")
    failed = sum(map(_failed, outcome.rows))
    if failed:
        again = "the same command tries them again, and keeps the rest"
        say(
            errors,
            f"Failed: {failed} of {counted(len(outcome.rows), 'cell')}; {again}",
            style="red",
        )
    if problems:
        return BAD_INPUT
    return CELL_FAILED if failed else DONE


def _selection(options: argparse.Namespace) -> Selection:
    """The chosen cells. Raises UsageError."""
    beside = _beside(options)
    if beside and options.method != DEFAULT:
        raise UsageError("--method and --methods: expected one of them")
    selection = replace(selection_of(options), methods=beside or None)
    selection.check()
    return selection


def _beside(options: argparse.Namespace) -> tuple[str, ...]:
    """Methods that are to stand beside each other."""
    return tuple(chain.from_iterable(options.methods or ()))


def _planned(
    options: argparse.Namespace, selection: Selection, executor: LocalExecutor
) -> tuple[list[ModelSteps], list[str]]:
    """The steps of all models that are usable, and why the others are not."""
    measures, margins = measures_of(options), load_margins(default_margins_path())
    specs, problems = find_specs(options.spec, options.models, data_root(options), executor)
    wanted = options.precisions or precisions()
    ready = prepare(
        specs,
        executor,
        allow_code=options.allow_code,
        calibrates=any(precisions()[name].calibrates for name in wanted),
        method=options.method,
        methods=_beside(options),
    )
    planned = [
        plan(
            model.graph,
            Request(
                selection.cells([model.spec.name]),
                margins,
                threads=options.threads,
                batch=options.batch,
                measures=measures,
            ),
        )
        for model in ready.models
    ]
    return planned, [*problems, *ready.problems]


@dataclass(frozen=True)
class _Folder:
    """Where the results of a run go."""

    path: Path
    threads: int
    keeper: keeping.Keeper

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    @property
    def page(self) -> Path:
        return self.path / render.FILE

    def write_so_far(self, outcome: Outcome) -> None:
        """Write what is measured while the run goes on."""
        # A page of another run is no page of this one; its own comes when nothing is timed.
        render.remove(self.path)
        self.write(outcome)

    def write(self, outcome: Outcome) -> Results:
        """Write results and what they were computed from."""
        described = _described(self.threads, outcome)
        results = Results.now(described, outcome.rows)
        # Results come last: where they are, all of a run is.
        outcome.samples.write(self.path, results.created)
        outcome.broken.write(self.path, results.created)
        results.write(self.path)
        markdown.write(results, self.path, self.keeper.since(described))
        return results

    def finish(self, results: Results, outcome: Outcome) -> None:
        """Keep the run in the history, and write its page."""
        self.keeper.keep(results, outcome.samples)
        since = self.keeper.since(results.machine)
        render.write(results, outcome.samples, self.path, since, outcome.broken)


def _described(threads: int, outcome: Outcome) -> machine.MachineFacts:
    """The machine, as the run found it."""
    described = machine.describe(threads, dict.fromkeys(row.cell.backend for row in outcome.rows))
    timed = [row for row in outcome.rows if row.pinned is not None]
    described["pinned"] = bool(timed) and all(row.pinned for row in timed)
    if toolkits := machine.toolkits(_toolkits(outcome.rows)):
        described["toolkits"] = toolkits
    speed = reference.speed([group.reference for group in outcome.samples.groups])
    if speed is not None:
        described["reference"] = speed.to_json()
    return described


def _toolkits(rows: Iterable[Row]) -> Iterator[str]:
    """Environments of their own that whole models were made in."""
    made_by = {row.method for row in rows}
    for name, known in methods().items():
        if name in made_by and known.yields == "model" and known.environment != HERE:
            yield known.environment


def _failed(row: Row) -> bool:
    """Whether a cell failed, or something that was to be measured of it."""
    return row.status == "failed" or bool(failures(row.measures))
