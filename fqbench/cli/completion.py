"""``fqbench completion``: a script for the shell, made once, so that Tab starts no Python.

A library that asks the program at each Tab would have it import what its options name: most of a
second, each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from fqbench import zoo
from fqbench.backends import backends
from fqbench.cells import DEVICES
from fqbench.cli.main import COMMANDS, parser_of
from fqbench.environments.recipe import recipes
from fqbench.fetch import ITEMS
from fqbench.fetch.catalogue import GROUPS, IMAGENET
from fqbench.measure.measures import MEASURES
from fqbench.methods import offered
from fqbench.precisions import precisions

SHELLS = ("bash", "zsh", "fish")

_WHERE = {
    "bash": "~/.local/share/bash-completion/completions/fqbench",
    "zsh": "_fqbench in a folder of $fpath",
    "fish": "~/.config/fish/completions/fqbench.fish",
}

_NAMES: Mapping[str, Callable[[], Sequence[str]]] = {
    "models": lambda: (*zoo.known_names(), *zoo.GROUPS),
    "backends": lambda: tuple(backends()),
    "devices": lambda: DEVICES,
    "precisions": lambda: tuple(precisions()),
    "method": lambda: tuple(offered()),
    "methods": lambda: tuple(offered()),
    "measure": lambda: MEASURES,
    "names": lambda: (*GROUPS, *(item.name for item in ITEMS), IMAGENET),
    "name": lambda: tuple(recipes()),
}
"""Names that an option takes beside others which only the command can judge, by its ``dest``."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    places = "; ".join(f"{shell}: {place}" for shell, place in _WHERE.items())
    parser.description = (
        "Print the script that completes commands, options, names and files. Write it where the"
        f" shell looks for it: {places}. Again after an update."
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench completion``: 0."""
    import shtab

    made = parser_of(COMMANDS)
    for action in _actions(made):
        _describe(action, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(made, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)
        else:
            yield action


def _describe(action: argparse.Action, file: Any, folder: Any) -> None:
    """Say what an option takes, where its parser leaves that to the command."""
    if action.choices is not None:
        return
    if action.dest in _NAMES:
        action.choices = _NAMES[action.dest]()
    elif action.metavar == "DIR":
        action.complete = folder  # type: ignore[attr-defined]
    elif action.type is not None and getattr(action.type, "__name__", "") == "Path":
        action.complete = file  # type: ignore[attr-defined]
