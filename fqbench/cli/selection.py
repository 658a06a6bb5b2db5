"""Options that several commands share: which cells, and how their models are made and run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from fqbench.backends import backends
from fqbench.cells import DEVICES, Selection
from fqbench.cli.options import Parser, positive
from fqbench.errors import UsageError
from fqbench.measure.measures import MEASURES, Measure
from fqbench.methods import DEFAULT, offered
from fqbench.precisions import precisions

if TYPE_CHECKING:
    from fqbench.gate.side import Matrix


def add_build_options(parser: Parser, *, any_method: bool = False) -> None:
    """Add how INT8 is made, by how many threads models run, and whether with code of a spec.

    ``any_method``: whether a method need not be installed here.
    """
    shown = f", among {', '.join(offered())}" if any_method else ""
    parser.add_argument(
        "--method",
        choices=None if any_method else offered(),
        default=DEFAULT,
        metavar="NAME" if any_method else None,
        help=f"how INT8 models are made{shown}",
    )
    parser.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="of the runtime (default: 1)"
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let specs name a decoder of their own, which is imported and run",
    )


def add_selection(parser: Parser) -> None:
    """Add which cells are meant, and where their data are."""
    parser.add_argument(
        "--spec",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="spec files of your own models (docs/spec.md); may be repeated",
    )
    add_cells(parser)


def add_cells(parser: Parser) -> None:
    """Add which cells of the models are meant, and where their data are."""
    choices: dict[str, Sequence[str]] = {
        "models": (),
        "backends": tuple(backends()),
        "devices": DEVICES,
        "precisions": tuple(precisions()),
    }
    for name, values in choices.items():
        hint = f" among {', '.join(values)}" if values else ""
        parser.add_argument(
            f"--{name}", nargs="+", action="extend", metavar="NAME", help=f"only these{hint}"
        )
    parser.add_argument(
        "--data-root",
        type=Path,
        default=os.environ.get("FQBENCH_DATA") or None,
        metavar="DIR",
        help="where relative paths of specs start (default: FQBENCH_DATA, else the spec's folder)",
    )


def selection_of(options: argparse.Namespace, *, models: bool = False) -> Selection:
    """The part of the matrix that is meant; without ``models``, of whatever models there are."""

    def chosen(names: Sequence[str] | None) -> tuple[str, ...] | None:
        return tuple(names) if names else None

    return Selection(
        models=chosen(options.models) if models else None,
        backends=chosen(options.backends),
        devices=chosen(options.devices),
        precisions=chosen(options.precisions),
    )


def matrix_of(options: argparse.Namespace) -> Matrix:
    """The cells that options choose, and how their INT8 is made."""
    # With it come all steps of a run, which most commands do not make.
    from fqbench.gate.side import Matrix

    return Matrix(
        tuple(options.spec),
        selection_of(options, models=True),
        options.data_root,
        options.method,
        options.allow_code,
        measures_of(options),
    )


def add_measure(parser: Parser) -> None:
    """Add what is measured beside latency."""
    parser.add_argument(
        "--measure",
        nargs="+",
        action="extend",
        type=separated,
        metavar="NAME",
        help=f"also measure these, among {', '.join(MEASURES)} (docs/measures.md)",
    )


def measures_of(options: argparse.Namespace) -> tuple[Measure, ...]:
    """What is measured beside latency. Raises UsageError for a name that is none of it."""
    wanted = tuple(chain.from_iterable(options.measure or ()))
    for name in wanted:
        if name not in MEASURES:
            raise UsageError(f"--measure {name!r}: expected {', '.join(MEASURES)}")
    return tuple(name for name in MEASURES if name in wanted)


def separated(text: str) -> list[str]:
    """Names with commas between them, as an option's value."""
    return text.split(",")
