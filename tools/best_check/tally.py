"""Where the seconds of a search go."""

from __future__ import annotations

import threading
import time
from collections import Counter

from fqbench.steps.observer import Observer, Silent
from fqbench.steps.step import Measurement, Node

EVALUATING = frozenset({"predict", "score"})
"""The steps that evaluate; the others make files."""


class Tally(Silent):
    """Tells ``shown`` all, and adds up the seconds of each kind of work.

    A second in which steps of two kinds run side by side counts half for each.
    """

    def __init__(self, shown: Observer) -> None:
        self._shown = shown
        self._running: Counter[str] = Counter()
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._seconds = dict.fromkeys(("making", "timing", "evaluating"), 0.0)

    def planned(self, nodes: int, seconds: float | None) -> None:
        self._shown.planned(nodes, seconds)

    def started(self, node: Node) -> None:
        self._count(node, 1)
        self._shown.started(node)

    def progress(self, node: Node, text: str, done: int, total: int) -> None:
        self._shown.progress(node, text, done, total)

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        self._count(node, -1)
        self._shown.ended(node, seconds, failure)

    def taken(self) -> dict[str, float]:
        """Seconds by kind since the last call."""
        with self._lock:
            found = dict(self._seconds)
            self._seconds = dict.fromkeys(found, 0.0)
        return found

    def _count(self, node: Node, change: int) -> None:
        with self._lock:
            now = time.monotonic()
            kinds = [kind for kind, number in self._running.items() if number > 0]
            for kind in kinds:
                self._seconds[kind] += (now - self._since) / len(kinds)
            self._since = now
            self._running[kind_of(node)] += change


def kind_of(node: Node) -> str:
    """What ``node`` does: making, timing or evaluating."""
    if isinstance(node, Measurement):
        return "timing"
    return "evaluating" if node.name in EVALUATING else "making"
