"""The options of ``fqbench gate``, and which of its three modes each belongs to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from fqbench.cli.options import Parser, positive
from fqbench.cli.output import add_json, add_verbose
from fqbench.cli.selection import add_build_options, add_measure, add_selection
from fqbench.errors import UsageError
from fqbench.gate.evidence import Tolerances
from fqbench.gate.live.comparison import ComparisonSettings

GateMode = Literal["stored", "versions", "self-test"]

USED: Mapping[GateMode, tuple[str, ...]] = {
    "stored": ("stored results",),
    "versions": ("versions of this repository", "models that are built and timed"),
    "self-test": ("the gate tried on itself", "models that are built and timed"),
}
"""Groups of options by the mode that uses them; those in no group are for all."""

_DESCRIBED: Mapping[GateMode, str] = {
    "stored": "where two files are compared",
    "versions": "where versions are compared (--base)",
    "self-test": "with --self-test",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "With --base: check out two versions of this repository, build their models and time them"
        " in turns. With two files: compare stored results: results.json (with the samples.json"
        " beside it), a baseline, or the file of pytest --benchmark-json."
    )
    added = {
        "stored results": _add_stored,
        "versions of this repository": _add_versions,
        "the gate tried on itself": _add_selftest,
        "models that are built and timed": _add_models,
    }
    groups = {name: parser.add_argument_group(name) for name in added}
    for name, add in added.items():
        add(groups[name])
    _add_common(parser)
    defaults = vars(parser.parse_args([]))
    parser.set_defaults(
        defaults={
            name: {
                _displayed(each): (each.dest, defaults[each.dest]) for each in group._group_actions
            }
            for name, group in groups.items()
        }
    )


def mode_of(options: argparse.Namespace) -> GateMode:
    """The mode that options choose.

    Raises UsageError where they choose none, or one of them would be ignored.
    """
    mode: GateMode = "stored" if options.base is None else "versions"
    mode = "self-test" if options.self_test else mode
    if mode == "stored" and len(options.results) != 2:
        raise UsageError(
            "the gate compares two files of results, or the versions --base and --head"
            ": name one or the other"
        )
    for group, defaults in options.defaults.items():
        for name, (dest, default) in defaults.items():
            if group not in USED[mode] and getattr(options, dest) != default:
                raise UsageError(f"{name} is of no use {_DESCRIBED[mode]}: leave it out")
    if options.install is not None and (options.base_python or options.head_python):
        raise UsageError(
            "--install makes an environment for each version, --base-python and --head-python name"
            " some that are there: give one or the other"
        )
    return mode


def _displayed(action: argparse.Action) -> str:
    return action.option_strings[0] if action.option_strings else str(action.metavar)


def _add_stored(group: Parser) -> None:
    group.add_argument(
        "results", nargs="*", type=Path, metavar="RESULTS.json", help="BASE.json HEAD.json"
    )
    group.add_argument(
        "--anyway",
        action="store_true",
        help="compare results of different machines, versions or data too",
    )


def _add_versions(group: Parser) -> None:
    group.add_argument(
        "--base",
        metavar="REF",
        help="what HEAD is compared with: a version of this repository, or of a runtime, such as"
        " onnxruntime==1.23.2",
    )
    group.add_argument(
        "--head", default="HEAD", metavar="REF", help="what may be worse (default: HEAD)"
    )
    group.add_argument(
        "--install",
        metavar="ARGUMENTS",
        help="what pip installs in each version's folder, into an environment of its own:"
        " '-r requirements.txt' or '-c constraints.txt .' (default: this environment, with the"
        " version's own fqbench where it holds one)",
    )
    for side in ("base", "head"):
        group.add_argument(
            f"--{side}-python",
            type=Path,
            metavar="FILE",
            help=f"the Python of an environment that is there, for {side.upper()}",
        )
    add_measure(group)


def _add_selftest(group: Parser) -> None:
    group.add_argument(
        "--self-test",
        action="store_true",
        help="count false alarms on identical code, and how often slow-downs are found",
    )
    group.add_argument(
        "--suites", type=positive, default=8, metavar="N", help="to measure (default: 8)"
    )
    group.add_argument(
        "--repetitions",
        type=positive,
        default=400,
        metavar="N",
        help="of each slow-down, replayed from what was measured (default: 400)",
    )
    group.add_argument(
        "--recorded",
        type=Path,
        metavar="FILE",
        help="judge what this file holds; where it is not there, measure and write it",
    )


def _add_models(group: Parser) -> None:
    group.add_argument(
        "--seconds",
        type=_seconds,
        default=ComparisonSettings().seconds,
        metavar="S",
        help="for timing a cell; six launches are made however long they take (default:"
        f" {ComparisonSettings().seconds:g})",
    )
    # Versions have methods of their own.
    add_build_options(group, any_method=True)
    add_selection(group)


def _add_common(parser: Parser) -> None:
    defaults = Tolerances()
    parser.add_argument(
        "--slowdown",
        type=_percent,
        default=100 * defaults.slowdown,
        metavar="PERCENT",
        help=f"slower by this much is tolerated (default: {100 * defaults.slowdown:g})",
    )
    parser.add_argument(
        "--points",
        type=_percent,
        default=defaults.points,
        metavar="POINTS",
        help=f"so much less accuracy is tolerated (default: {defaults.points:g})",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write gate.md, gate.json and gate.html into this folder",
    )
    add_verbose(parser)
    add_json(parser)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return value
