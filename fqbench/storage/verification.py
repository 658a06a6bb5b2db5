"""Each file of a store against the digest that was written down with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fqbench.artifacts import Artifact, damage
from fqbench.storage.contents import Entry, contents
from fqbench.storage.pruning import remove


@dataclass(frozen=True)
class Damaged:
    """An artifact that is not as it was made: ``why``, and whether it was ``removed``."""

    entry: Entry
    why: str
    removed: bool


def verify(
    root: Path, *, removing: bool = False, on_checked: Callable[[int, int], None] = lambda *_: None
) -> tuple[int, list[Damaged]]:
    """How many artifacts there are in the store ``root``, and which of them are damaged.

    ``removing``: these are removed, unless they are being made. ``on_checked``: told how many are
    checked, of how many. Raises UsageError where one cannot be removed.
    """
    entries = [each for each in contents(root) if each.whole]
    found = []
    for number, each in enumerate(entries, 1):
        why = damage(Artifact(each.step, each.key, each.path))
        if why is not None and each.path.exists():
            found.append(Damaged(each, why, removed=removing and remove(each)))
        on_checked(number, len(entries))
    return len(entries), found
