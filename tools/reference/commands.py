"""Commands, their options and exit codes, from the parser that reads them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fqbench.cli.main import COMMANDS, ENDS, ends_of, parser_of
from tools.reference.markdown import NOTE, code, table


def page() -> str:
    """The page, in Markdown."""
    made = parser_of(COMMANDS)
    parts = [
        NOTE,
        "# Commands",
        "`fqbench COMMAND --help` says the same. `--version` prints fqbench's version.",
        table(("command", "what it is for"), [(_link(n), c.help) for n, c in COMMANDS.items()]),
        "Exit codes that every command has:",
        table(("code", "meaning"), [(str(code), text) for code, text in ENDS.items()]),
    ]
    for name, parser in _subparsers(made).items():
        parts += _section(f"fqbench {name}", parser, 2)
        codes = ends_of(COMMANDS[name])
        own = [(str(each), text) for each, text in codes.items() if ENDS.get(each) != text]
        parts.append(table(("exit code", "meaning"), own))
        for below, each in _subparsers(parser).items():
            parts += _section(f"fqbench {name} {below}", each, 3)
    return "\n\n".join(parts) + "\n"


def _link(name: str) -> str:
    return f"[`{name}`](#fqbench-{name})"


def _section(title: str, parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    if parser.description:
        yield parser.description
    rows = [_row(action, parser) for action in parser._actions if _is_shown(action)]
    if rows:
        yield table(("option", "takes", "meaning"), rows)


def _is_shown(action: argparse.Action) -> bool:
    hidden = argparse._HelpAction | argparse._SubParsersAction
    return not isinstance(action, hidden) and action.help != argparse.SUPPRESS


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> tuple[str, str, str]:
    names = ", ".join(map(code, action.option_strings)) or code(_metavar(action))
    described = (action.help or "") % {**vars(action), "prog": parser.prog}
    if action.required and action.option_strings:
        described = f"{described} (required)"
    return names, _takes(action), described


def _takes(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return " or ".join(code(str(choice)) for choice in action.choices)
    several = {"+": " …", "*": " …"}.get(str(action.nargs), "")
    return code(f"{_metavar(action)}{several}")


def _metavar(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
