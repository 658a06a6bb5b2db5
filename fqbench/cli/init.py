"""``fqbench init``: a spec proposed for a model's file, and what is known of it how surely."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fqbench.cli.display import progress
from fqbench.cli.options import data_root, positive
from fqbench.cli.output import DONE, add_json, print_json, say
from fqbench.errors import UsageError
from fqbench.fileio import check_writable, write_new
from fqbench.propose.make import IMAGES, Draft, Wanted, draft, spec_name

SCHEMA = 1

LONGEST = 100
"""Characters of a value in the table."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "Look at a model's file and a few images, and write a commented spec: task, decoder and"
        " preprocessing, each with how sure it is and why."
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model's file")
    parser.add_argument("--images", type=Path, metavar="DIR", help="images like those it is for")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="PATH",
        help="what is in them: COCO's JSON, a list of files with their class or text, or a folder"
        " of label maps; candidates are then tried, and the best by score is taken",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="images that quantization may see, none of them evaluated (default: some of --images)",
    )
    parser.add_argument(
        "--count",
        type=positive,
        default=IMAGES,
        metavar="N",
        help=f"images that candidates are tried on, at most (default: {IMAGES})",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the spec (default: NAME.yaml here)"
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        default=os.environ.get("FQBENCH_DATA") or None,
        metavar="DIR",
        help="where relative paths of the spec start (default: FQBENCH_DATA, else its folder)",
    )
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench init``: the spec in a file, and a table of what it holds."""
    out = options.out or Path(f"{spec_name(options.model.stem)}.yaml")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already: name another file by --out")
    check_writable(out.absolute().parent)
    wanted = Wanted(
        model=options.model,
        images=options.images,
        labels=options.labels,
        calibration=options.calibration,
        root=data_root(options),
        count=options.count,
    )
    with progress(errors) as report:

        def tried(done: int, total: int, told: str = "", /) -> None:
            report("Candidates tried", done, total)

        made = draft(wanted, out.absolute().parent, tried)
    write_new(out, made.text)
    if options.json:
        print_json({"schema": SCHEMA, "spec": str(out), **_document(made)})
    else:
        Console().print(_table(made))
    for each in made.unknown:
        say(errors, f"Not known: {each}")
    say(errors, f"Written: {out}")
    say(errors, _next_step(made, out, wanted.root))
    return DONE


def _next_step(made: Draft, out: Path, root: Path | None) -> str:
    """What to do with the spec: read it, then run it."""
    first = "fill in what is not known in it" if made.unknown else "check what is not sure in it"
    command = ["fqbench", "run", "--spec", str(out), *(["--data-root", str(root)] if root else [])]
    return f"Next: {first}, then {shlex.join(command)}"


def _document(made: Draft) -> dict[str, Any]:
    found = made.found
    return {
        "proposals": [each.to_json() for each in found.proposals],
        "unknown": list(made.unknown),
        "tried": list(found.tried),
    }


def _table(made: Draft) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Key", "Proposed", "How sure", "Why"):
        # Keys are what a reader looks for in the spec: they are never cut.
        table.add_column(name, no_wrap=name == "Key", overflow="fold")
    for each in made.found.proposals:
        value = str(each.value)
        shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
        table.add_row(*map(_plain, (each.key, shown, each.sureness, each.reason)))
    return table


def _plain(text: str) -> Text:
    """Of an untrusted file: a terminal would obey its escape sequences."""
    return Text("".join(c if c.isprintable() else " " for c in text))
