"""Commands and their options. Exit codes: 0 done, 1 a cell failed, 2 bad input."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from fqbench import __version__
from fqbench.cli import baseline, commands, compress, env, fetch, gate, gate_options
from fqbench.cli.selection import add_build_options, add_selection, positive
from fqbench.errors import FqbenchError, UsageError

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    errors = Console(stderr=True)
    handler = RichHandler(console=errors, show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    try:
        options = _parser().parse_args(arguments)
        known = {
            "run": commands.run,
            "list": commands.list_cells,
            "fetch": fetch.run,
            "compress": compress.run,
            "gate": gate.run,
            "baseline": baseline.run,
            "env": env.run,
        }
        return known[options.command](options, errors)
    except UsageError as error:
        commands.print_error(errors, str(error))
        return USAGE_ERROR
    except FqbenchError as error:
        commands.print_error(errors, str(error))
        return commands.CELL_FAILED
    except KeyboardInterrupt:
        commands.print_error(errors, "interrupted; the same command goes on from here")
        return INTERRUPTED


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fqbench", description="Benchmark and conformance suite for quantized vision models."
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = subparsers.add_parser(
        "run",
        help="quantize, measure and evaluate; write results.json and report.md",
        description="Quantize, measure and evaluate the chosen cells. With no option: the"
        " embedded models on everything that runs here.",
    )
    add_selection(run)
    add_build_options(run)
    run.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="images of one inference that is timed on a GPU (default: 1)",
    )
    run.add_argument(
        "--out", type=Path, default=Path("fqbench-out"), metavar="DIR", help="where results go"
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="list the steps that are not in the store yet, and about how long they take",
    )
    run.add_argument("--quiet", action="store_true", help="do not show progress")
    add_selection(
        subparsers.add_parser("list", help="the matrix, each cell with its state or reason")
    )
    fetch.add_parser(subparsers)
    compress.add_parser(subparsers)
    gate_options.add_parser(subparsers)
    baseline.add_parser(subparsers)
    env.add_parser(subparsers)
    return parser
