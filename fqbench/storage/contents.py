"""``Entry``: one folder of a store; ``contents``: all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DAY = 24 * 3600.0

AGES = ((DAY, "a day"), (7 * DAY, "7 days"), (30 * DAY, "30 days"))
"""What ages are grouped by: seconds, and what they are called."""

_STEP = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"([0-9a-f]{64})(\..+)?")


@dataclass(frozen=True)
class Entry:
    """A folder of a store.

    ``size``: bytes of its files. ``used``: nanoseconds since 1970 when a run made or found it last.
    ``whole``: whether it is an artifact, not what was left of a step that did not end, or of a
    damaged one.
    """

    step: str
    key: str
    path: Path
    size: int
    used: int
    whole: bool


@dataclass(frozen=True)
class Total:
    """How many folders, and their bytes."""

    number: int = 0
    size: int = 0

    def plus(self, entry: Entry) -> Total:
        """With ``entry``."""
        return Total(self.number + 1, self.size + entry.size)


def contents(root: Path) -> list[Entry]:
    """All in the store ``root``, the least recently used first; what is not its own is left out."""
    found = [entry for step in _folders(root, _STEP) for entry in _of_step(step)]
    return sorted(found, key=lambda each: (each.used, str(each.path)))


def _of_step(folder: Path) -> Iterator[Entry]:
    for path in _folders(folder, _NAME):
        matched = _NAME.fullmatch(path.name)
        assert matched is not None
        try:
            used = path.stat().st_mtime_ns
            size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
        except FileNotFoundError:
            continue  # It was removed meanwhile.
        yield Entry(folder.name, matched[1], path, size, used, whole=matched[2] is None)


def _folders(folder: Path, named: re.Pattern[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if named.fullmatch(path.name) and path.is_dir()]


def by_step(entries: Iterable[Entry]) -> dict[str, Total]:
    """Of each step, the largest first; what was left over is one of its own, called ``""``."""
    found: dict[str, Total] = {}
    for each in entries:
        name = each.step if each.whole else ""
        found[name] = found.get(name, Total()).plus(each)
    return dict(sorted(found.items(), key=lambda item: (-item[1].size, item[0])))


def by_age(entries: Iterable[Entry], now: float) -> dict[str | None, Total]:
    """By how long ago they were used, as ``AGES`` calls it; None: longer. ``now`` in seconds."""
    found: dict[str | None, Total] = {name: Total() for _, name in AGES}
    found[None] = Total()
    for each in entries:
        age = now - each.used / 1e9
        name = next((name for most, name in AGES if age <= most), None)
        found[name] = found[name].plus(each)
    return found
