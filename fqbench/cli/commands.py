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

from fqbench import machine
from fqbench.artifacts import Store, default_root
from fqbench.cli.display import display, duration, plan_text
from fqbench.cli.output import add_json, add_verbose, print_json, say
from fqbench.cli.selection import (
    add_build_options,
    add_measure,
    add_selection,
    measures_of,
    positive,
    selection_of,
    separated,
)
from fqbench.environments import HERE
from fqbench.errors import UsageError
from fqbench.fileio import check_writable
from fqbench.history import keeping
from fqbench.margins import default_margins_path, load_margins
from fqbench.measure import reference
from fqbench.measure.measures import failures
from fqbench.methods import DEFAULT, methods, offered
from fqbench.pipeline.cell_steps import Request, plan
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.pipeline.rows import Outcome
from fqbench.pipeline.run import run as run_planned
from fqbench.precisions import precisions
from fqbench.report import markdown, terminal
from fqbench.report.html import render
from fqbench.report.plain import plain
from fqbench.results import Results, Row
from fqbench.steps.executor import LocalExecutor
from fqbench.steps.observer import Progress as Report
from fqbench.steps.step import Node, title

DONE = 0
CELL_FAILED = 1
BAD_INPUT = 2

PLAN_SCHEMA = 1


def print_error(console: Console, message: str) -> None:
    """Print what is wrong as one line, however narrow the terminal: logs are searched."""
    say(console, f"fqbench: {message}", style="red")


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
        "--out",
        type=Path,
        default=Path("fqbench-out"),
        metavar="DIR",
        help="where results go (default: fqbench-out)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the steps that are not in the store yet, and about how long they take",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress")
    add_verbose(parser)
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench run``: results of the chosen cells, in the terminal and in files."""
    beside = tuple(chain.from_iterable(options.methods or ()))
    if beside and options.method != DEFAULT:
        raise UsageError("--method and --methods: expected one of them")
    selection = replace(selection_of(options), methods=beside or None)
    selection.check()
    measures = measures_of(options)
    check_writable(options.out)
    keeper = keeping.Keeper(Path.cwd())
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
            nodes = [node for model in planned for node in model.nodes]
            show_plan(nodes, executor, as_json=options.json)
            return BAD_INPUT if problems or ready.problems else DONE

        def write(found: Outcome) -> None:
            # A page of another run is no page of this one; its own comes when nothing is timed.
            render.remove(options.out)
            _write(options.out, options.threads, found, keeper)

        outcome = run_planned(planned, executor, write)
    if outcome.rows:
        results = _write(options.out, options.threads, outcome, keeper)
        report, page = options.out / "report.md", options.out / render.FILE
        if options.json:
            print_json(results.to_json())
        else:
            terminal.show(results, Console(), report=page, verbose=options.verbose)
        keeper.keep(results, outcome.samples)
        since = keeper.since(results.machine)
        render.write(results, outcome.samples, options.out, since, outcome.broken)
        say(errors, f"Written: {options.out}/results.json, {report}, {page}")
    failed = sum(map(_failed, outcome.rows))
    if failed:
        again = "the same command tries them again, and keeps the rest"
        say(errors, f"Failed: {failed} of {len(outcome.rows)} cells; {again}", style="red")
    if problems or ready.problems:
        return BAD_INPUT
    return CELL_FAILED if failed else DONE


def _failed(row: Row) -> bool:
    """Whether a cell failed, or something that was to be measured of it."""
    return row.status == "failed" or bool(failures(row.measures))


def show_plan(nodes: Sequence[Node], executor: LocalExecutor, *, as_json: bool) -> None:
    """Print which of ``nodes`` a run would still have to do, and about how long each takes."""
    remaining = executor.look(nodes)
    took = [(title(node), node.model, executor.expected([node])) for node in remaining]
    whole = executor.expected(remaining)
    if as_json:
        steps = [{"step": step, "model": model, "seconds": s} for step, model, s in took]
        print_json({"schema": PLAN_SCHEMA, "steps": steps, "seconds": whole})
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Step", "Model", "Took before"):
        table.add_column(name)
    for step, model, seconds in took:
        table.add_row(plain(step), plain(model), "" if seconds is None else duration(seconds))
    console = Console()
    if remaining:
        console.print(table)
    console.print(plan_text(len(remaining), whole), highlight=False)


def _write(folder: Path, threads: int, outcome: Outcome, keeper: keeping.Keeper) -> Results:
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
    outcome.broken.write(folder, results.created)
    results.write(folder)
    markdown.write(results, folder, keeper.since(described))
    return results


def _toolkits(rows: Sequence[Row]) -> Iterator[str]:
    """Environments of their own that whole models were made in."""
    made_by = {row.method for row in rows}
    for name, known in methods().items():
        if name in made_by and known.yields == "model" and known.environment != HERE:
            yield known.environment


def data_root(options: argparse.Namespace) -> Path | None:
    """The data root, absolute. Raises UsageError where it is no folder."""
    if options.data_root is None:
        return None
    root = Path(options.data_root).absolute()
    if not root.is_dir():
        raise UsageError(
            f"the data root {root} is not a folder"
            ": name one that is there by --data-root or FQBENCH_DATA"
        )
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
