"""``fqbench fetch``: official weights and data; its options, its table, its progress."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fqbench.cli.output import DONE, add_json, print_error, print_json, say
from fqbench.data.root import data_root
from fqbench.fetch import ITEMS, FetchOutcome, FetchPolicy, Item, chosen_items, fetch
from fqbench.fetch.catalogue import GROUPS, IMAGENET, has_imagenet, imagenet_instructions
from fqbench.fetch.fetcher import DOWNLOADS
from fqbench.fetch.install import state
from fqbench.fetch.progress import megabytes
from fqbench.jsonvalue import Json

SCHEMA = 1

NOT_ALL_THERE = 1
INTERRUPTED = 130


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "Fetch official weights and data, check them against fqbench.lock, unpack them under the"
        " data root. What is there is checked only. With no NAME: the list."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to fetch, or a group")
    parser.add_argument("--list", action="store_true", help="list names, states and addresses")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="open no connection: check what is there, say how to place what is missing",
    )
    parser.add_argument(
        "--mirror",
        default=os.environ.get("FQBENCH_MIRROR") or None,
        metavar="URL",
        help="fetch URL/FILE instead of every address (default: FQBENCH_MIRROR)",
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        default=os.environ.get("FQBENCH_DATA") or None,
        metavar="DIR",
        help="where things go (default: FQBENCH_DATA, else a folder of the user's data)",
    )
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench fetch``: 0 all is there, 1 something is not."""
    root = data_root(options.data_root).absolute()
    names = options.names or [*(item.name for item in ITEMS), IMAGENET]
    items = chosen_items([name for name in names if name != IMAGENET])
    policy = FetchPolicy(offline=options.offline, mirror=options.mirror)
    if options.list or not options.names:
        if options.json:
            print_json(_document(_listed(items, root, policy, IMAGENET in names), root))
        else:
            _show(items, root, policy, with_imagenet=IMAGENET in names)
        return DONE
    try:
        own = [_own_copy(root)] if IMAGENET in names else []
        outcomes = _fetch(own, items, root, policy, errors)
    except KeyboardInterrupt:
        print_error(errors, _interruption(items, root))
        return INTERRUPTED
    if options.json:
        fetched: list[Json] = [
            {"name": each.name, "there": each.is_there, "text": each.text} for each in outcomes
        ]
        print_json(_document(fetched, root))
    return DONE if all(each.is_there for each in outcomes) else NOT_ALL_THERE


def _document(items: Sequence[Json], root: Path) -> dict[str, Json]:
    return {"schema": SCHEMA, "data_root": str(root), "items": items}


def _listed(
    items: Sequence[Item], root: Path, policy: FetchPolicy, with_imagenet: bool
) -> list[Json]:
    found: list[Json] = [
        {
            "name": item.name,
            "state": state(item, root),
            "megabytes": item.megabytes,
            "terms": item.terms,
            "addresses": list(policy.addresses(item)),
            "groups": [name for name, members in GROUPS.items() if item.name in members],
        }
        for item in items
    ]
    if with_imagenet:
        own = "there" if has_imagenet(root) else "missing"
        found.append({"name": IMAGENET, "state": own, "addresses": []})
    return found


def _fetch(
    own: Sequence[FetchOutcome],
    items: Sequence[Item],
    root: Path,
    policy: FetchPolicy,
    errors: Console,
) -> list[FetchOutcome]:
    """What happened to each, after ``own``, which nothing fetches."""
    outcomes = []
    with _listener(errors) as listener:
        for outcome in chain(own, fetch(items, root, listener, policy)):
            outcomes.append(outcome)
            if outcome.is_there:
                listener.say(outcome.text)
            else:
                print_error(errors, outcome.text)
    return outcomes


def _own_copy(root: Path) -> FetchOutcome:
    """Whether ImageNet is there, or where it goes."""
    if has_imagenet(root):
        return FetchOutcome(IMAGENET, True, f"{IMAGENET} is there")
    return FetchOutcome(IMAGENET, False, imagenet_instructions(root))


def _interruption(items: Sequence[Item], root: Path) -> str:
    """What is kept of what was being fetched."""
    names = [f"{name}.part" for item in items for name in item.file_names]
    parts = [root / DOWNLOADS / name for name in names if (root / DOWNLOADS / name).is_file()]
    kept = ", ".join(f"{path} ({megabytes(path.stat().st_size)})" for path in parts)
    return f"interrupted; {f'kept: {kept}; ' if kept else ''}the same command continues from here"


def _show(items: Sequence[Item], root: Path, policy: FetchPolicy, *, with_imagenet: bool) -> None:
    """Two lines or more for each item: addresses are too long for a table's column."""
    lines = [f"data root: {root}"]
    lines += [f"{name}: {', '.join(members)}" for name, members in GROUPS.items()]
    for item in items:
        size = "" if item.megabytes is None else f"~{item.megabytes} MB"
        lines.append(f"{item.name:<30}{state(item, root):<10}{size:<9}{item.terms}")
        lines += [f"    {address}" for address in policy.addresses(item)]
    if with_imagenet:
        own = "there" if has_imagenet(root) else "missing"
        lines += [f"{IMAGENET:<30}{own}", "    your own copy: fqbench fetch imagenet"]
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Bar:
    """A line for each thing said, and below them one bar for what is going on."""

    errors: Console
    bar: Progress
    task: TaskID | None = None
    shown: str = ""

    def say(self, text: str) -> None:
        self._forget()
        say(self.errors, text)

    def progress(self, text: str, done: int, total: int | None) -> None:
        if self.task is None or self.shown != text:
            self._forget()
            # What was there before counts for no speed: the bar begins with it.
            self.task, self.shown = self.bar.add_task(text, total=total, completed=done), text
        self.bar.update(self.task, completed=done, total=total)

    def _forget(self) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None


@contextmanager
def _listener(errors: Console) -> Iterator[_Bar]:
    """The bar is shown where standard error is a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=errors, transient=True, disable=not errors.is_terminal
    ) as progress:
        yield _Bar(errors, progress)
