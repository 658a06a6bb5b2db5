"""``fqbench env``: environments of runtimes and toolkits; its options, its table, its progress."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from fqbench.cli.output import DONE, add_json, print_error, print_json, say
from fqbench.environments import environment, make
from fqbench.environments.environment import Environment, Manifest, Missing, find
from fqbench.environments.install import Source
from fqbench.environments.recipe import recipes, target
from fqbench.environments.requirements import normalized
from fqbench.errors import UsageError
from fqbench.jsonvalue import Json
from fqbench.report.plain import plain

SCHEMA = 1

NOT_AS_LISTED = 1

NAME = "one of the list, or NAME==VERSION"

Facts = dict[str, Json]
"""Of an environment, as ``--json`` prints them: ``python`` is its version, or which ones fit."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's own commands."""
    parser.description = (
        "Environments that runtimes and toolkits live in, each with what it needs. NAME is one of"
        " the list, or NAME==VERSION for another version of what it is for. With no command: the"
        " list."
    )
    parser.set_defaults(action=_list)
    add_json(parser)
    actions = parser.add_subparsers(metavar="COMMAND")
    listed = actions.add_parser("list", help="what there is and can be")
    _add_json(listed)
    listed.set_defaults(action=_list)
    made = actions.add_parser("make", help="make an environment, from its list of requirements")
    made.add_argument("name", metavar="NAME", help=NAME)
    made.add_argument(
        "--find-links", type=Path, metavar="DIR", help="a folder of wheels to install from, too"
    )
    made.add_argument(
        "--offline", action="store_true", help="install from the folder of wheels alone"
    )
    made.add_argument(
        "--python",
        type=Path,
        metavar="FILE",
        help="the Python to make it with (default: this one if it fits, else one that is found)",
    )
    made.set_defaults(action=_make)
    checked = actions.add_parser(
        "check", help="import what environments are for, and compare them with their lists"
    )
    checked.add_argument("name", nargs="?", metavar="NAME", help="only this one (default: all)")
    _add_json(checked)
    checked.set_defaults(action=_check)
    removed = actions.add_parser("remove", help="remove an environment")
    removed.add_argument("name", metavar="NAME", help=NAME)
    removed.set_defaults(action=_remove)
    used = actions.add_parser("use", help="use a Python that has what an environment is for")
    used.add_argument("name", metavar="NAME", help=NAME)
    used.add_argument("python", type=Path, metavar="PYTHON", help="the Python of an environment")
    used.set_defaults(action=_use)
    printed = actions.add_parser("requirements", help="print the list of an environment")
    printed.add_argument("name", metavar="NAME", help=NAME)
    printed.set_defaults(action=_requirements)


def _add_json(parser: argparse.ArgumentParser) -> None:
    """The same option behind a command of this one: not given there, it leaves what was given."""
    add_json(parser, default=argparse.SUPPRESS)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench env``: 0 done, 1 something is not as listed, 2 not usable."""
    code: int = options.action(options, errors)
    return code


def _list(options: argparse.Namespace, errors: Console) -> int:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Name", "Label", "State", "Version", "Python"):
        table.add_column(name)
    table.add_column("Size", justify="right")
    listed = [_facts(name) for name in _names()]
    if options.json:
        folder = str(environment.root())
        print_json({"schema": SCHEMA, "folder": folder, "environments": listed})
        return DONE
    for each in listed:
        table.add_row(*map(plain, _texts(each)))
    console = Console()
    console.print(table)
    # Paths and sentences, which a narrow column would break.
    for each in listed:
        say(console, f"{each['name']}: {each['executable'] or each['reason']}")
    say(console, f"Made in {environment.root()}")
    return DONE


def _names() -> list[str]:
    """Those of recipes, and of what is there in another version."""
    folder = environment.root()
    found = {path.name.removesuffix(".json") for path in folder.glob("*==*")}
    versions = sorted(name for name in found if name.partition("==")[0] in recipes())
    return [*recipes(), *filter(_is_name, versions)]


def _is_name(text: str) -> bool:
    try:
        return target(text).name == text
    except UsageError:
        return False  # A lock, or what was made from a list that is gone.


def _facts(name: str) -> Facts:
    found, wanted = find(name), target(name)
    facts: Facts = {"name": name, "label": wanted.recipe.label if wanted.version is None else None}
    if isinstance(found, Missing):
        return {
            **facts,
            "state": "missing",
            "version": None,
            "python": str(wanted.python),
            "megabytes": wanted.requirements.installed,
            "executable": None,
            "reason": found.reason,
        }
    state, size = str(found.where), None
    if found.where == "made":
        manifest = Manifest.read(found.executable.parents[1])
        if manifest is not None:
            size = round(manifest.size / 1e6)
            if manifest.requirements != wanted.requirements.digest:
                state += ", of another list"
    return {
        **facts,
        "state": state,
        "version": found.versions[normalized(wanted.recipe.distribution)],
        "python": found.versions["python"],
        "megabytes": size,
        "executable": str(found.executable),
        "reason": None,
    }


def _texts(facts: Facts) -> Iterator[str]:
    """The row of an environment."""
    for key in ("name", "label", "state", "version", "python"):
        yield str(facts[key] or "")
    about = "~" if facts["executable"] is None else ""
    yield "" if facts["megabytes"] is None else f"{about}{facts['megabytes']} MB"


def _make(options: argparse.Namespace, errors: Console) -> int:
    source = Source(options.find_links, options.offline)
    with _listener(errors) as listener:
        made = make.make(options.name, listener, source, options.python)
        listener.say(f"{made.name} is in {made.executable.parents[1]}")
    return DONE


def _use(options: argparse.Namespace, errors: Console) -> int:
    used = make.use(options.name, options.python)
    wanted = target(used.name)
    version = used.versions[normalized(wanted.recipe.distribution)]
    say(errors, f"{used.name} is {used.executable}, with {wanted.recipe.distribution} {version}")
    for difference in wanted.requirements.differences(used.versions):
        say(errors, f"{used.name}: {difference}")
    return DONE


def _remove(options: argparse.Namespace, errors: Console) -> int:
    with _listener(errors) as listener:
        make.remove(options.name, listener)
    return DONE


def _check(options: argparse.Namespace, errors: Console) -> int:
    found = [find(name) for name in ([options.name] if options.name else _names())]
    if options.name is None:
        found = [each for each in found if isinstance(each, Environment)]
    checked = []
    for each in found:
        if isinstance(each, Missing):
            raise UsageError(each.reason)
        with _listener(errors) as listener:
            listener.progress(f"{each.name}: importing", 0, 0)
            problems = make.problems(each)
        for problem in problems:
            print_error(errors, f"{each.name}: {problem}")
        checked.append(
            {"name": each.name, "python": str(each.executable), "problems": list(problems)}
        )
        if not problems:
            say(errors, f"{each.name} is as listed: {each.executable}")
    if not found:
        say(errors, "there is no environment yet: 'fqbench env make NAME' makes one")
    if options.json:
        print_json({"schema": SCHEMA, "environments": checked})
    return NOT_AS_LISTED if any(each["problems"] for each in checked) else DONE


def _requirements(options: argparse.Namespace, errors: Console) -> int:
    print(target(options.name).requirements.text, end="")
    return DONE


@dataclass
class _Bar:
    """A line for each thing said, and below them one bar for what is going on."""

    errors: Console
    bar: Progress
    task: TaskID

    def say(self, text: str) -> None:
        say(self.errors, text)

    def progress(self, text: str, done: int, total: int) -> None:
        self.bar.update(self.task, description=text, completed=done, total=total or None)


@contextmanager
def _listener(errors: Console) -> Iterator[_Bar]:
    """The bar is shown where standard error is a terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=errors, transient=True, disable=not errors.is_terminal
    ) as progress:
        yield _Bar(errors, progress, progress.add_task("", total=None))
