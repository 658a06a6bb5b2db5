"""``fqbench list``: the cells of the matrix and the methods, and which of them run here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain

from rich import box
from rich.console import Console
from rich.table import Table

from fqbench import zoo
from fqbench.cells import Cell, matrix
from fqbench.cli.options import data_root
from fqbench.cli.output import BAD_INPUT, DONE, add_json, print_error, print_json, say
from fqbench.cli.selection import add_selection, selection_of
from fqbench.counting import counted
from fqbench.jsonvalue import Json
from fqbench.methods import methods, offered
from fqbench.report.ids import print_by_id
from fqbench.report.plain import plain
from fqbench.spec.load import load_specs
from fqbench.zoo.choosing import beside_zoo, zoo_names

SCHEMA = 1

Method = dict[str, Json]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "The cells that run here, and the methods of making INT8. Where it is piped: one cell a"
        " line, with --all and a cell that cannot run its reason after a tab."
    )
    add_selection(parser)
    parser.add_argument(
        "--all", action="store_true", help="also list cells that cannot run here, each with why"
    )
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench list``: 0, or 2 where a spec is not usable."""
    made_by = _methods()  # Before any work: a package's may not be usable.
    specs, problems = load_specs(options.spec, data_root(options))
    for problem in problems:
        print_error(errors, problem.message)
    chosen = options.models or zoo.known_names()
    names = [spec.name for spec in specs] if options.spec else zoo_names(chosen)
    cells = _chosen(options, names)
    shown = [cell for cell in cells if options.all or cell.unsupported is None]
    console = Console()
    if options.json:
        print_json(
            {"schema": SCHEMA, "cells": [_cell_json(each) for each in cells], "methods": made_by}
        )
    elif console.is_terminal:
        _show_cells(shown, console)
        _show_methods([m for m in made_by if options.all or m["reason"] is None], console)
    else:
        for cell in shown:
            print(cell.id if cell.unsupported is None else f"{cell.id}\t{_state(cell)}")
    if len(shown) < len(cells) and not options.json:
        left_out = len(cells) - len(shown)
        say(errors, f"{left_out} of {counted(len(cells), 'cell')} cannot run here: --all says why")
    return BAD_INPUT if problems else DONE


def _show_cells(cells: Sequence[Cell], console: Console) -> None:
    """A table. Cells are never cut, however narrow the terminal; nor are methods."""
    whole = any(cell.unsupported is not None for cell in cells)
    columns = ("Cell", "State") if whole else ("Cell",)
    texts = [(cell.id, _state(cell))[: len(columns)] for cell in cells]
    rows = [[plain(text) for text in row] for row in texts]
    print_by_id(columns, rows, console, texts=("State",))


def _show_methods(made_by: Sequence[Method], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Method", no_wrap=True)
    whole = any(each["reason"] is not None for each in made_by)
    for name in ("Made by", "For", "State") if whole else ("Made by", "For"):
        table.add_column(name, overflow="fold")
    for each in made_by:
        backends, reason = each["backends"], each["reason"]
        made_for = ", ".join(map(str, backends)) if isinstance(backends, list) else "every backend"
        texts = [str(each["method"]), str(each["label"]), made_for]
        state = "ready" if reason is None else f"cannot run: {reason}"
        table.add_row(*map(plain, [*texts, state] if whole else texts))
    console.print(table)


def _state(cell: Cell) -> str:
    return "runs here" if cell.unsupported is None else f"cannot run: {cell.unsupported}"


def _cell_json(cell: Cell) -> Json:
    return {
        "cell": cell.id,
        "model": cell.model,
        "backend": cell.backend,
        "device": cell.device,
        "precision": cell.precision,
        "runs": cell.unsupported is None,
        "reason": cell.unsupported,
    }


def _methods() -> list[Method]:
    """The methods that can be asked for, and what each needs that is not here."""
    found: list[Method] = []
    for name in offered():
        known = methods()[name]
        found.append(
            {
                "method": name,
                "label": known.label,
                "backends": None if known.backends is None else list(known.backends),
                "reason": known.missing(),
            }
        )
    return found


def _chosen(options: argparse.Namespace, names: Sequence[str]) -> tuple[Cell, ...]:
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
