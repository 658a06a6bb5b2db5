"""``fqbench store``: what the store of artifacts holds, pruned and verified."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fqbench.artifacts import default_root
from fqbench.cli.display import progress
from fqbench.cli.options import amount
from fqbench.cli.output import DONE, add_json, print_json, say
from fqbench.counting import counted
from fqbench.errors import UsageError
from fqbench.report.plain import plain
from fqbench.storage.contents import AGES, Entry, Total, by_age, by_step, contents
from fqbench.storage.pruning import Limits, Pruned, prune
from fqbench.storage.verification import Damaged, verify

SCHEMA = 1
"""Of what ``--json`` prints."""

DAMAGED = 1

LEFT_OVER = "left over"
"""What is no whole artifact: of steps that did not end, or were damaged."""

_GB = 10**9


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's own commands."""
    parser.description = (
        "What is kept of earlier runs in the folder that FQBENCH_CACHE names, so that the next one"
        " does not make it again: how much of which step, and when it was used last."
    )
    parser.set_defaults(action=_show)
    add_json(parser)
    actions = parser.add_subparsers(metavar="COMMAND")
    pruned = actions.add_parser(
        "prune", help="remove the least recently used, but nothing that a run uses now"
    )
    pruned.add_argument(
        "--older", type=amount, metavar="DAYS", help="what was not used for so many days"
    )
    pruned.add_argument(
        "--keep-size",
        type=amount,
        metavar="GB",
        help="the least recently used, until so many 10^9 bytes are left",
    )
    add_json(pruned, default=argparse.SUPPRESS)
    pruned.set_defaults(action=_prune)
    verified = actions.add_parser("verify", help="compare each file with its digest")
    verified.add_argument(
        "--remove", action="store_true", help="remove what is damaged: the next run makes it again"
    )
    add_json(verified, default=argparse.SUPPRESS)
    verified.set_defaults(action=_verify)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench store``: 0 done, 1 something is damaged and still there."""
    code: int = options.action(options, errors)
    return code


def _show(options: argparse.Namespace, errors: Console) -> int:
    root, now = default_root(), time.time()
    entries = contents(root)
    steps, ages = by_step(entries), by_age(entries, now)
    if options.json:
        days = {name: seconds / AGES[0][0] for seconds, name in AGES}
        print_json(
            {
                "schema": SCHEMA,
                "store": str(root),
                **_counted(entries),
                "steps": [
                    {"step": name or None, **_totals(total)} for name, total in steps.items()
                ],
                "ages": [
                    {"days": None if name is None else days[name], **_totals(total)}
                    for name, total in ages.items()
                ],
            }
        )
        return DONE
    console = Console()
    console.print(_table("Step", {name or LEFT_OVER: total for name, total in steps.items()}))
    told = {f"within {name}" if name else "before": total for name, total in ages.items()}
    console.print(_table("Used last", told))
    say(console, f"{_told(entries)} in {root}")
    return DONE


def _prune(options: argparse.Namespace, errors: Console) -> int:
    if options.older is None and options.keep_size is None:
        raise UsageError("nothing says what to remove: give --older DAYS or --keep-size GB")
    size = None if options.keep_size is None else round(options.keep_size * _GB)
    found = prune(default_root(), Limits(options.older, size))
    if options.json:
        print_json({"schema": SCHEMA, "store": str(default_root()), **_facts(found)})
        return DONE
    console = Console()
    say(console, f"Removed: {_told(found.removed)}. Kept: {_told(found.kept)}.")
    if found.in_use:
        say(
            console,
            f"Of what is kept, {_told(found.in_use)} would have gone, but a run uses it or may: run"
            " this again when none does.",
        )
    return DONE


def _verify(options: argparse.Namespace, errors: Console) -> int:
    with progress(errors) as report:
        checked, damaged = verify(
            default_root(),
            removing=options.remove,
            on_checked=lambda done, total: report("verifying", done, total),
        )
    if options.json:
        listed = [_told_damage(each) for each in damaged]
        print_json({"schema": SCHEMA, "checked": checked, "damaged": listed})
    else:
        console = Console()
        for each in damaged:
            became = "removed" if each.removed else "still there"
            say(console, f"Damaged: {each.entry.path} ({each.why}): {became}")
        say(console, f"{counted(checked, 'artifact')}, {len(damaged)} of them damaged")
        if damaged and not options.remove:
            say(console, "--remove removes these; the next run that needs them makes them again.")
    return DAMAGED if any(not each.removed for each in damaged) else DONE


def _table(heading: str, totals: Mapping[str, Total]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(heading)
    for name in ("Artifacts", "MB"):
        table.add_column(name, justify="right")
    for name, total in totals.items():
        table.add_row(plain(name), str(total.number), f"{total.size / 1e6:.1f}")
    return table


def _told(entries: Sequence[Entry]) -> str:
    return f"{counted(len(entries), 'artifact')}, {sum(each.size for each in entries) / 1e6:.1f} MB"


def _counted(entries: Sequence[Entry]) -> dict[str, int]:
    return {"artifacts": len(entries), "bytes": sum(each.size for each in entries)}


def _totals(total: Total) -> dict[str, int]:
    return {"artifacts": total.number, "bytes": total.size}


def _facts(found: Pruned) -> dict[str, Any]:
    return {
        "removed": _counted(found.removed),
        "in_use": _counted(found.in_use),
        "kept": _counted(found.kept),
    }


def _told_damage(found: Damaged) -> dict[str, Any]:
    entry = found.entry
    return {
        "step": entry.step,
        "key": entry.key,
        "path": str(entry.path),
        "reason": found.why,
        "removed": found.removed,
    }
