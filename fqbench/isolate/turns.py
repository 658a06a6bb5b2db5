"""One machine for several children: they share it, and one at a time may have it to itself."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from fqbench.isolate.process import Child

if TYPE_CHECKING:
    import psutil


class SharedMachine:
    """Children that run side by side, until one of them asks to be alone.

    While it is, the others are paused: stopped as they are, with all that they started, also those
    that start meanwhile. Who asks while another is alone waits for its turn, paused like all.
    ``cores``: those that a child may use while it is alone, as it is granted; none: its own.
    """

    def __init__(self, cores: tuple[int, ...] = ()) -> None:
        self._cores = cores
        self._pauses: dict[Child, _Pause] = {}
        self._turns: deque[Child] = deque()
        """Who is alone now, and who waits for that."""
        self._lock = threading.Lock()

    def join(self, child: Child) -> None:
        """``child`` has started."""
        with self._lock:
            self._pauses[child] = _Pause(child.process.pid)
            if self._turns:
                self._pauses[child].begin()

    def ask(self, child: Child) -> None:
        """``child`` waits until it is alone: it is granted that by a line that it reads."""
        with self._lock:
            self._turns.append(child)
            if self._turns[0] is child:
                for other, pause in self._pauses.items():
                    if other is not child:
                        pause.begin()
                self._grant(child)

    def give_back(self, child: Child) -> None:
        """``child`` need not be alone any more."""
        with self._lock:
            self._end_turn(child)

    def leave(self, child: Child) -> None:
        """``child`` is about to be ended; what is paused of it ends here, and runs no more."""
        with self._lock:
            self._pauses.pop(child).kill()
            if child in self._turns:
                self._end_turn(child)

    def paused_s(self, child: Child) -> float:
        """Seconds that ``child`` has been paused so far."""
        with self._lock:
            return self._pauses[child].seconds()

    def _end_turn(self, child: Child) -> None:
        was_alone = self._turns[0] is child
        self._turns.remove(child)
        if not was_alone:
            return
        if not self._turns:
            for pause in self._pauses.values():
                pause.end()
            return
        if child in self._pauses:
            self._pauses[child].begin()
        self._pauses[self._turns[0]].end()
        self._grant(self._turns[0])

    def _grant(self, child: Child) -> None:
        # Where it is gone, whoever waits for its answers will find out.
        with suppress(BrokenPipeError):
            child.questions.write(json.dumps({"cores": self._cores}).encode() + b"\n")


class _Pause:
    """A process and all that it started: whether they are stopped, and how long they were."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stopped: list[psutil.Process] = []
        self._since: float | None = None
        self._before = 0.0

    def begin(self) -> None:
        """Stop them."""
        import psutil

        self._since = time.monotonic()
        # Until it is stopped itself, a process may start others. What a child isolates is in a
        # session, and so in a process group, of its own.
        while found := [each for each in _tree(self._pid) if each not in self._stopped]:
            for process in found:
                with suppress(psutil.Error):
                    process.suspend()
            self._stopped += found

    def end(self) -> None:
        """Let them go on, where they are stopped."""
        import psutil

        for process in self._stopped:
            with suppress(psutil.Error):
                process.resume()
        self._before, self._since, self._stopped = self.seconds(), None, []

    def kill(self) -> None:
        """Kill those that are stopped."""
        import psutil

        for process in self._stopped:
            with suppress(psutil.Error):
                process.kill()

    def seconds(self) -> float:
        """How long they were stopped in all."""
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)


def _tree(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:  # It has ended.
        return []
