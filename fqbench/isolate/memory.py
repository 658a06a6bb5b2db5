"""Resident memory of a process and all it started."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

RESCAN_S = 2.0
"""How often a child's own children are looked for: that reads every process of the machine."""


class Memory:
    """Resident memory of a process and all it started."""

    def __init__(self, pid: int) -> None:
        # Here and not above: children import this module for Report and need no psutil.
        import psutil

        self._error = psutil.Error
        self._root = psutil.Process(pid)
        self._tree: list[psutil.Process] = []
        self._next_scan = 0.0

    def used_mb(self) -> int:
        """MiB used now."""
        if time.monotonic() >= self._next_scan:
            self._tree = [self._root]
            with suppress(self._error):
                self._tree += self._root.children(recursive=True)
            self._next_scan = time.monotonic() + RESCAN_S
        used = 0
        for process in self._tree:
            with suppress(self._error):
                used += process.memory_info().rss
        return used >> 20


class SharedMemory:
    """Memory that children use together: where it is exceeded, the one that uses most must go."""

    def __init__(self, limit_mb: int) -> None:
        self.limit_mb = limit_mb
        self._used: dict[object, int] = {}
        self._lock = threading.Lock()

    def exceeds(self, child: object, used_mb: int) -> bool:
        """Whether ``child``, which uses ``used_mb`` now, must be stopped."""
        with self._lock:
            self._used[child] = used_mb
            return sum(self._used.values()) > self.limit_mb and used_mb == max(self._used.values())

    def end(self, child: object) -> None:
        """``child`` uses nothing any more."""
        with self._lock:
            self._used.pop(child, None)
