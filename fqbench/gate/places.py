"""Where the paths that options name are in each version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.gate.refs import Checkout


@dataclass(frozen=True)
class Place:
    """A path in each version, in their order. ``shared``: it is the working tree's in all."""

    sides: tuple[Path, ...]
    shared: bool = False


def place(path: Path, root: Path, checkouts: Sequence[Checkout]) -> Place:
    """Where ``path`` is in each of ``checkouts``, versions of the repository at ``root``.

    What is inside the repository is each version's own, or the working tree's where no version has
    it, as what git ignores. What is outside is the same for all. Raises UsageError where there is
    nothing in any of these.
    """
    inside = _inside(path, root)
    if inside is None:
        return Place(_one(path.absolute(), path) * len(checkouts))
    sides = tuple(each.folder / inside for each in checkouts)
    if any(each.exists() for each in sides):
        return Place(sides)
    return Place(_one(root / inside, path) * len(checkouts), shared=True)


def _one(where: Path, path: Path) -> tuple[Path]:
    if not where.exists():
        raise UsageError(f"there is no {path}")
    return (where,)


def _inside(path: Path, root: Path) -> Path | None:
    """``path`` from the root on; None where it is outside.

    A path that is inside as it is written stays so: a link on the way is each version's own.
    """
    written = path.resolve() if ".." in path.parts else path.absolute()
    for found in (written, path.resolve()):
        if found.is_relative_to(root):
            return found.relative_to(root)
    return None
