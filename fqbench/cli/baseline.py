"""``fqbench baseline``: freeze results to compare later ones with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fqbench.cli.output import DONE, add_json, print_json, say
from fqbench.errors import UsageError
from fqbench.gate.stored.baseline import freeze
from fqbench.gate.stored.figures import FEWEST_RUNS
from fqbench.gate.stored.files import read_stored


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "Freeze the results of one run or more as a baseline. Broken values are refused. With"
        f" {FEWEST_RUNS} runs or more, minutes or hours apart, the gate takes from them how far"
        " runs on this machine differ."
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.json")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the baseline")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CELL=REASON",
        help="keep this cell's broken value, for the reason given; may be repeated",
    )
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench baseline``: 0 once the file is written."""
    accepted = _accepted(options.accept)
    path = freeze([read_stored(path) for path in options.results], accepted, options.out)
    if options.json:
        print_json(json.loads(path.read_text()))
    say(errors, f"Written: {path}")
    return DONE


def _accepted(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        cell, sign, reason = text.partition("=")
        if not sign:
            raise UsageError(f"--accept {text}: expected CELL=REASON")
        if cell in found:
            raise UsageError(f"--accept {cell}: it is accepted twice: give one reason for it")
        found[cell] = reason
    return found
