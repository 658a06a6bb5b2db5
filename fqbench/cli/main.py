"""Commands, their options and exit codes.

A command's module is imported when it is the one that is asked for: ``fqbench --help`` imports
none of them, so that it answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fqbench import __version__
from fqbench.errors import FqbenchError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

CELL_FAILED = 1
USAGE_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141


@dataclass(frozen=True)
class Command:
    """A command: what it is for, and the functions that add its options and carry it out, each
    as ``module:function``.

    ``ends``: what its exit codes mean, beside those that all commands have.
    """

    help: str
    add_options: str
    run: str
    ends: Mapping[int, str] = field(default_factory=lambda: {0: "done"})


COMMANDS: Mapping[str, Command] = {
    "init": Command(
        "propose a spec for a model's file",
        "fqbench.cli.init:add_options",
        "fqbench.cli.init:run",
        {
            0: "the spec is written",
            2: "nothing is: no model, outputs of no known kind, images that cannot be read, or the"
            " spec is there already",
        },
    ),
    "run": Command(
        "quantize, measure and evaluate; write results.json, report.md and report.html",
        "fqbench.cli.run:add_options",
        "fqbench.cli.run:run",
        {0: "every cell ran", 1: "a cell failed, or something that was to be measured of it"},
    ),
    "list": Command(
        "which cells run here; with --all why the others do not",
        "fqbench.cli.listing:add_options",
        "fqbench.cli.listing:run",
        {0: "listed"},
    ),
    "fetch": Command(
        "official weights and data",
        "fqbench.cli.fetch:add_options",
        "fqbench.cli.fetch:run",
        {0: "all is there, or listed", 1: "something is not there"},
    ),
    "best": Command(
        "which file to ship on this machine, and the file",
        "fqbench.cli.best:add_options",
        "fqbench.cli.best:run",
        {0: "a file is inside the budget", 1: "none is known to be"},
    ),
    "compress": Command(
        "make the INT8 models of one model, from a config of FastDeploy's tool",
        "fqbench.cli.compress:add_options",
        "fqbench.cli.compress:run",
        {0: "every model was made that can be here", 1: "one was not"},
    ),
    "gate": Command(
        "whether anything got worse from BASE to HEAD",
        "fqbench.cli.gate_options:add_options",
        "fqbench.cli.gate:run",
        {
            0: "nothing is worse",
            1: "something is: slower, less accurate, failed, or gone",
            2: "nothing could be compared, or an option or a file is not usable",
        },
    ),
    "baseline": Command(
        "freeze results to compare later ones with",
        "fqbench.cli.baseline:add_options",
        "fqbench.cli.baseline:run",
        {0: "the baseline is written"},
    ),
    "history": Command(
        "what was measured from run to run, and two runs compared",
        "fqbench.cli.history:add_options",
        "fqbench.cli.history:run",
        {0: "shown; of two runs, nothing is worse", 1: "of two runs, something is worse"},
    ),
    "store": Command(
        "what is kept of earlier runs; old or damaged parts of it removed",
        "fqbench.cli.store:add_options",
        "fqbench.cli.store:run",
        {0: "done", 1: "something is damaged and still there"},
    ),
    "doctor": Command(
        "what can run here, and whether this machine is quiet enough to time on",
        "fqbench.cli.doctor:add_options",
        "fqbench.cli.doctor:run",
        {0: "something runs here", 1: "nothing does, or what was tried failed"},
    ),
    "env": Command(
        "environments of runtimes and toolkits",
        "fqbench.cli.env:add_options",
        "fqbench.cli.env:run",
        {0: "done", 1: "an environment is not as its list says"},
    ),
    "completion": Command(
        "the script that completes commands and options in a shell",
        "fqbench.cli.completion:add_options",
        "fqbench.cli.completion:run",
        {0: "printed"},
    ),
}

ENDS: Mapping[int, str] = {
    CELL_FAILED: "a step of the work failed",
    USAGE_ERROR: "an option, a spec or a file is not usable",
    INTERRUPTED: "interrupted; the same command goes on from there",
    READER_GONE: "nobody reads the output any more",
}
"""Exit codes that every command has; its own come before them."""


def ends_of(command: Command) -> Mapping[int, str]:
    """All exit codes of ``command``, each with what it means."""
    return dict(sorted({**ENDS, **command.ends}.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = parser(given).parse_args(given)
        code: int = _imported(COMMANDS[options.command].run)(options, _console())
        return code
    except UsageError as error:
        return _ended(str(error), USAGE_ERROR)
    except FqbenchError as error:
        return _ended(str(error), CELL_FAILED)
    except KeyboardInterrupt:
        return _ended("interrupted; the same command goes on from here", INTERRUPTED)


def entry() -> None:
    """The console script."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read has enough. Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = READER_GONE
    sys.exit(code)


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """What parses ``arguments``: only the command that they name has its options."""
    # No option before the command has a value of its own.
    named = next((word for word in arguments if not word.startswith("-")), None)
    return parser_of([name for name in COMMANDS if name == named])


def parser_of(commands: Collection[str]) -> argparse.ArgumentParser:
    """The parser of all commands, with the options of ``commands``; imports their modules."""
    made = argparse.ArgumentParser(
        prog="fqbench", description="Benchmark and conformance suite for quantized vision models."
    )
    made.add_argument("--version", action="version", version=__version__)
    subparsers = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        codes = "; ".join(f"{code} {meaning}" for code, meaning in ends_of(command).items())
        added = subparsers.add_parser(name, help=command.help, epilog=f"Exit codes: {codes}.")
        if name in commands:
            _imported(command.add_options)(added)
    return made


def _imported(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _console() -> Console:
    """Where messages go, warnings that modules log among them."""
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    return console


def _ended(message: str, code: int) -> int:
    from fqbench.cli.output import print_error

    print_error(_console(), message)
    return code
