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
from rich.text import Text

from fqbench.cli.commands import DONE, print_error
from fqbench.environments import environment, make
from fqbench.environments.environment import Environment, Manifest, Missing, find
from fqbench.environments.install import Source
from fqbench.environments.recipe import recipes, target
from fqbench.environments.requirements import normalized
from fqbench.errors import UsageError

NOT_AS_LISTED = 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    parser = subparsers.add_parser(
        "env",
        help="environments of runtimes and toolkits",
        description="Environments that runtimes and toolkits live in, each with what it needs."
        " NAME is one of the list, or NAME==VERSION for another version of what it is for. With no"
        " command: the list.",
    )
    parser.set_defaults(action=_list)
    actions = parser.add_subparsers(metavar="COMMAND")
    listed = actions.add_parser("list", help="what there is and can be")
    listed.set_defaults(action=_list)
    made = actions.add_parser("make", help="make an environment, from its list of requirements")
    made.add_argument("name", metavar="NAME")
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
    checked.add_argument("name", nargs="?", metavar="NAME")
    checked.set_defaults(action=_check)
    removed = actions.add_parser("remove", help="remove an environment")
    removed.add_argument("name", metavar="NAME")
    removed.set_defaults(action=_remove)
    used = actions.add_parser("use", help="use a Python that has what an environment is for")
    used.add_argument("name", metavar="NAME")
    used.add_argument("python", type=Path, metavar="PYTHON", help="the Python of an environment")
    used.set_defaults(action=_use)
    printed = actions.add_parser("requirements", help="print the list of an environment")
    printed.add_argument("name", metavar="NAME")
    printed.set_defaults(action=_requirements)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench env``: 0 done, 1 something is not as listed, 2 not usable."""
    code: int = options.action(options, errors)
    return code


def _list(options: argparse.Namespace, errors: Console) -> int:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Name", "Label", "State", "Version", "Python"):
        table.add_column(name)
    table.add_column("Size", justify="right")
    table.add_column("Where", overflow="fold")
    for name in _names():
        table.add_row(*map(Text, _row(name)))
    console = Console()
    console.print(table)
    console.print(f"Made in {environment.root()}", markup=False, highlight=False, soft_wrap=True)
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


def _row(name: str) -> tuple[str, ...]:
    found, wanted = find(name), target(name)
    label = wanted.recipe.label if wanted.version is None else ""
    if isinstance(found, Missing):
        return name, label, "missing", "", str(wanted.python), _expected_size(name), found.reason
    version = found.versions[normalized(wanted.recipe.distribution)]
    state, size = str(found.where), ""
    if found.where == "made":
        manifest = Manifest.read(found.executable.parents[1])
        size = "" if manifest is None else f"{manifest.size / 1e6:.0f} MB"
        if manifest is not None and manifest.requirements != wanted.requirements.digest:
            state += ", of another list"
    return name, label, state, version, found.versions["python"], size, str(found.executable)


def _expected_size(name: str) -> str:
    size = target(name).requirements.installed
    return "" if size is None else f"~{size} MB"


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
    _print(errors, f"{used.name} is {used.executable}, with {wanted.recipe.distribution} {version}")
    for difference in wanted.requirements.differences(used.versions):
        _print(errors, f"{used.name}: {difference}")
    return DONE


def _remove(options: argparse.Namespace, errors: Console) -> int:
    with _listener(errors) as listener:
        make.remove(options.name, listener)
    return DONE


def _check(options: argparse.Namespace, errors: Console) -> int:
    found = [find(name) for name in ([options.name] if options.name else _names())]
    if options.name is None:
        found = [each for each in found if isinstance(each, Environment)]
    code = DONE
    for each in found:
        if isinstance(each, Missing):
            raise UsageError(each.reason)
        with _listener(errors) as listener:
            listener.progress(f"{each.name}: importing", 0, 0)
            problems = make.problems(each)
        for problem in problems:
            print_error(errors, f"{each.name}: {problem}")
            code = NOT_AS_LISTED
        if not problems:
            _print(errors, f"{each.name} is as listed: {each.executable}")
    if not found:
        _print(errors, "there is no environment yet: 'fqbench env make NAME' makes one")
    return code


def _requirements(options: argparse.Namespace, errors: Console) -> int:
    print(target(options.name).requirements.text, end="")
    return DONE


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Bar:
    """A line for each thing said, and below them one bar for what is going on."""

    errors: Console
    bar: Progress
    task: TaskID

    def say(self, text: str) -> None:
        _print(self.errors, text)

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
