"""What the commands do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fqbench import machine, zoo
from fqbench.artifacts import Store, default_root
from fqbench.cells import Cell, matrix
from fqbench.cli.display import display, duration, plan_text
from fqbench.cli.selection import (
    add_build_options,
    add_measure,
    add_selection,
    measures_of,
    positive,
    selection_of,
    separated,
)
from fqbench.environments import HERE, Missing, find
from fqbench.errors import UsageError
from fqbench.fileio import check_writable
from fqbench.margins import default_margins_path, load_margins
from fqbench.measure import reference
from fqbench.measure.measures import failures
from fqbench.methods import DEFAULT, methods, offered
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run as run_planned
from fqbench.pipeline.zoo_models import beside_zoo, zoo_names
from fqbench.precisions import precisions
from fqbench.report import markdown, terminal
from fqbench.report.html import render
from fqbench.results import Results, Row
from fqbench.spec.load import load_specs
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Progress as Report
from fqbench.steps.step import Node, title

DONE = 0
CELL_FAILED = 1
BAD_INPUT = 2


def print_error(console: Console, message: str) -> None:
    """Print what is wrong as one line, however narrow the terminal: logs are searched.

    It may quote an untrusted file, whose escape sequences a terminal would obey.
    """
    line = "".join(c if c.isprintable() else " " for c in f"fqbench: {message}")
    console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def add_run_options(parser: argparse.ArgumentParser) -> None:
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
        "--out", type=Path, default=Path("fqbench-out"), metavar="DIR", help="where results go"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the steps that are not in the store yet, and about how long they take",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress")


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench run``: results of the chosen cells, in the terminal and in files."""
    beside = tuple(chain.from_iterable(options.methods or ()))
    if beside and options.method != DEFAULT:
        raise UsageError("--method and --methods: expected one of them")
    selection = replace(selection_of(options), methods=beside or None)
    selection.check()
    measures = measures_of(options)
    check_writable(options.out)
    margins = load_margins(default_margins_path())
    with display(errors, quiet=options.quiet) as observer:
        executor = LocalExecutor(Store(default_root()), observer)
        specs, problems = find_specs(options.spec, options.models, data_root(options), executor)
        wanted = options.precisions or precisions()
        calibrates = any(precisions()[name].calibrates for name in wanted)
        ready = prepare(
            specs,
            executor,
            allow_code=options.allow_code,
            calibrates=calibrates,
            method=options.method,
            methods=beside,
        )
        for problem in (*problems, *ready.problems):
            print_error(errors, problem)
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
        if options.dry_run:
            show_plan([node for model in planned for node in model.nodes], executor)
            return BAD_INPUT if problems or ready.problems else DONE

        def write(found: Outcome) -> None:
            # A page of another run is no page of this one; its own comes when nothing is timed.
            render.remove(options.out)
            _write(options.out, options.threads, found)

        outcome = run_planned(planned, executor, write)
    if outcome.rows:
        results = _write(options.out, options.threads, outcome)
        page = render.write(results, outcome.samples, options.out)
        terminal.show(results, Console())
        written = f"Written: {options.out}/results.json, {options.out}/report.md, {page}"
        errors.print(written, markup=False, highlight=False, soft_wrap=True)
    if problems or ready.problems:
        return BAD_INPUT
    return CELL_FAILED if any(map(_failed, outcome.rows)) else DONE


def _failed(row: Row) -> bool:
    """Whether a cell failed, or something that was to be measured of it."""
    return row.status == "failed" or bool(failures(row.measures))


def show_plan(nodes: Sequence[Node], executor: LocalExecutor) -> None:
    """Print which of ``nodes`` a run would still have to do, and about how long each takes."""
    remaining = executor.look(nodes)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Step", "Model", "Took before"):
        table.add_column(name)
    for node in remaining:
        seconds = executor.expected([node])
        table.add_row(title(node), node.model, "" if seconds is None else duration(seconds))
    console = Console()
    if remaining:
        console.print(table)
    console.print(plan_text(len(remaining), executor.expected(remaining)), highlight=False)


def _write(folder: Path, threads: int, outcome: Outcome) -> Results:
    described = machine.describe(threads, dict.fromkeys(row.cell.backend for row in outcome.rows))
    timed = [row for row in outcome.rows if row.pinned is not None]
    described["pinned"] = bool(timed) and all(row.pinned for row in timed)
    if toolkits := machine.toolkits(_toolkits(outcome.rows)):
        described["toolkits"] = toolkits
    speed = reference.speed([group.reference for group in outcome.samples.groups])
    if speed is not None:
        described["reference"] = speed.to_json()
    results = Results.now(described, outcome.rows)
    # Results come last: where they are, all of a run is.
    outcome.samples.write(folder, results.created)
    results.write(folder)
    markdown.write(results, folder)
    return results


def _toolkits(rows: Sequence[Row]) -> Iterator[str]:
    """Environments of their own that whole models were made in."""
    made_by = {row.method for row in rows}
    for name, known in methods().items():
        if name in made_by and known.yields == "model" and known.environment != HERE:
            yield known.environment


def list_cells(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench list``: every cell and every method, and why it cannot run where it cannot."""
    shown_methods = _methods_table()  # Before any work: a package's may not be usable.
    specs, problems = load_specs(options.spec, data_root(options))
    for problem in problems:
        print_error(errors, problem.message)
    known = (*zoo.embedded_names(), *zoo.published_names())
    names = [spec.name for spec in specs] if options.spec else zoo_names(options.models or known)
    cells = _listed(options, names)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Cell", "State"):
        table.add_column(name)
    for cell in cells:
        reason = cell.unsupported
        state = "runs here" if reason is None else f"cannot run: {reason}"
        table.add_row(cell.id, Text(state))
    console = Console()
    console.print(table)
    console.print(shown_methods)
    return BAD_INPUT if problems else DONE


def _methods_table() -> Table:
    """The methods that can be asked for, and what each needs that is not here."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Method", "Made by", "For", "State"):
        table.add_column(name)
    for name in offered():
        known = methods()[name]
        there = find(known.environment)
        made_for = "every backend" if known.backends is None else ", ".join(known.backends)
        state = f"cannot run: {there.reason}" if isinstance(there, Missing) else "ready"
        table.add_row(*map(Text, (name, known.label, made_for, state)))
    return table


def _listed(options: argparse.Namespace, names: Sequence[str]) -> tuple[Cell, ...]:
    """All chosen cells, those that cannot run included."""
    selection = selection_of(options)
    selection.check()
    wanted = chain(*beside_zoo(options.models, names)) if options.spec else names
    chosen = matrix(wanted, selection.chosen_backends)
    return tuple(
        cell
        for cell in chosen
        if cell.device in (options.devices or [cell.device])
        and cell.precision in (options.precisions or [cell.precision])
    )


def data_root(options: argparse.Namespace) -> Path | None:
    """The data root, absolute. Raises UsageError where it is no folder."""
    if options.data_root is None:
        return None
    root = Path(options.data_root).absolute()
    if not root.is_dir():
        raise UsageError(f"the data root {root} is not a folder")
    return root


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """One line that says what is being done; nothing where standard error is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("")

        def report(text: str, done: int, total: int) -> None:
            bar.update(task, description=text, completed=done, total=total or None)

        yield report
