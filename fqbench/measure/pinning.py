"""Processes bound to processor cores, so that the scheduler moves none while it is timed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def some_cores(count: int, order: random.Random) -> tuple[int, ...]:
    """``count`` of the cores that this process may use; none where the system binds no process."""
    if not hasattr(os, "sched_getaffinity"):
        return ()
    usable = sorted(os.sched_getaffinity(0))
    return tuple(sorted(order.sample(usable, min(count, len(usable)))))


def pin(cores: Sequence[int]) -> bool:
    """Bind this process, with threads that libraries have started; whether that is allowed."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        return False
    threads = Path("/proc/self/task")
    try:
        for thread in [int(entry.name) for entry in threads.iterdir()] if threads.exists() else [0]:
            with suppress(ProcessLookupError):  # It may have ended meanwhile.
                os.sched_setaffinity(thread, cores)
    except OSError:
        return False
    return True


@contextmanager
def bound(cores: Sequence[int]) -> Iterator[None]:
    """Bind this process to ``cores`` while inside, where the system allows that; none: as it is."""
    known = bool(cores) and hasattr(os, "sched_getaffinity")
    usable = tuple(os.sched_getaffinity(0)) if known else ()
    pin(cores)
    try:
        yield
    finally:
        pin(usable)


@contextmanager
def pinned(count: int) -> Iterator[None]:
    """Bind this process to ``count`` of its cores while inside, where the system allows that."""
    with bound(some_cores(count, random.Random())):
        yield
