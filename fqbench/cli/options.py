"""Values of options that commands share. Every command reads it: it imports nothing slow."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from fqbench.errors import UsageError

Parser = argparse._ActionsContainer


def positive(text: str) -> int:
    """A whole number of 1 or more, as an option's value."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def amount(text: str) -> float:
    """A number of 0 or more, as an option's value."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def data_root(options: argparse.Namespace) -> Path | None:
    """The data root, absolute. Raises UsageError where it is no folder."""
    if options.data_root is None:
        return None
    root = Path(options.data_root).absolute()
    if not root.is_dir():
        raise UsageError(
            f"the data root {root} is not a folder"
            ": name one that is there by --data-root or FQBENCH_DATA"
        )
    return root
