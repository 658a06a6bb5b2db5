"""How results leave a command: tables for a person, or one JSON document for a script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from fqbench.cli.options import Parser

DONE = 0
CELL_FAILED = 1
BAD_INPUT = 2
"""Exit codes."""


def add_json(parser: Parser, *, default: object = False) -> None:
    """Add ``--json``; the command then prints nothing else on standard output."""
    parser.add_argument(
        "--json",
        default=default,
        action="store_true",
        help="print results as one JSON document (docs/json.md), and no tables",
    )


def add_verbose(parser: Parser) -> None:
    """Add ``--verbose``."""
    parser.add_argument(
        "--verbose", action="store_true", help="print every note, not the most important only"
    )


def add_shown(parser: Parser) -> None:
    """Add what of a run of steps is shown: its plan alone, its progress, its notes and results."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the steps that are not in the store yet, and about how long they take",
    )
    parser.add_argument("--quiet", action="store_true", help="do not show progress")
    add_verbose(parser)
    add_json(parser)


def print_json(content: Mapping[str, Any]) -> None:
    """Print ``content`` as one document, in ASCII: untrusted names cannot steer a terminal."""
    print(json.dumps(content, indent=1, allow_nan=False))


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """Print one line, however long: paths are copied from it.

    It may quote an untrusted file, whose escape sequences a terminal would obey.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_error(console: Console, message: str) -> None:
    """Print what is wrong as one line, however narrow the terminal: logs are searched."""
    say(console, f"fqbench: {message}", style="red")
