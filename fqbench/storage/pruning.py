"""What is taken out of a store: the least recently used first, and nothing that is in use.

A run announces itself (``fqbench.presence``) before it touches the first artifact that it finds,
and whatever it finds from then on. So what was used last before the first of those that run now
began is not in use; and what is touched after it was listed is put back.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fqbench.errors import UsageError
from fqbench.presence import TICK, earliest
from fqbench.storage.contents import DAY, Entry, contents


@dataclass(frozen=True)
class Limits:
    """What may stay: what was used in the last ``days``, of ``size`` bytes together; None: all."""

    days: float | None = None
    size: int | None = None


@dataclass(frozen=True)
class Pruned:
    """What became of what is not to stay, and what does stay."""

    removed: tuple[Entry, ...]
    in_use: tuple[Entry, ...]
    kept: tuple[Entry, ...]


def chosen(entries: Sequence[Entry], limits: Limits, now: float) -> list[Entry]:
    """What is not to stay of ``entries``, whose least recently used is the first.

    What goes was used before all that stays. ``now``: seconds since 1970.
    """
    left = sum(each.size for each in entries)
    found: list[Entry] = []
    for each in entries:
        too_old = limits.days is not None and now - each.used / 1e9 > limits.days * DAY
        too_much = limits.size is not None and left > limits.size
        if not (too_old or too_much):
            break
        found.append(each)
        left -= each.size
    return found


def prune(root: Path, limits: Limits) -> Pruned:
    """Take out of the store ``root`` what is not to stay.

    Raises UsageError where it cannot be written.
    """
    entries, now = contents(root), time.time()
    since = min(earliest(root), now - TICK)
    removed: list[Entry] = []
    in_use: list[Entry] = []
    for each in chosen(entries, limits, now):
        goes = each.used / 1e9 < since and remove(each)
        (removed if goes else in_use).append(each)
    gone = {each.path for each in removed}
    kept = tuple(each for each in entries if each.path not in gone)
    return Pruned(tuple(removed), tuple(in_use), kept)


def remove(entry: Entry) -> bool:
    """Remove ``entry``, unless it is made or was used since it was listed: whether it is gone.

    Raises UsageError where the store cannot be written.
    """
    lock = FileLock(entry.path.with_name(f"{entry.key}.lock"))
    aside = entry.path.with_name(f"{entry.path.name}.removed")
    try:
        lock.acquire(blocking=False)
        try:
            os.rename(entry.path, aside)
            if aside.stat().st_mtime_ns != entry.used:
                os.rename(aside, entry.path)
                return False
            shutil.rmtree(aside)
        finally:
            lock.release()
    except Timeout:
        return False
    except FileNotFoundError:
        return True  # Another one removed it.
    except OSError as error:
        raise UsageError(
            f"cannot remove {entry.path}: {error.strerror or error}: make its folder writable, or"
            " choose another store by FQBENCH_CACHE"
        ) from error
    return True
