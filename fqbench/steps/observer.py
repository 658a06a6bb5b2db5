"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fqbench.steps.step import Node


class Observer(Protocol):
    """Called by the executor, from several threads."""

    def planned(self, nodes: int, seconds: float | None) -> None:
        """So many nodes are still to be run, which takes about ``seconds``, where that is known."""
        ...

    def started(self, node: Node) -> None:
        """``node`` runs now."""
        ...

    def progress(self, node: Node, text: str, done: int, total: int) -> None:
        """``node`` has done so much, and perhaps what it does."""
        ...

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        """``node`` has run for ``seconds``; why it failed, if it did."""
        ...


class Silent:
    """Tells nobody."""

    def planned(self, nodes: int, seconds: float | None) -> None:
        """Nothing."""

    def started(self, node: Node) -> None:
        """Nothing."""

    def progress(self, node: Node, text: str, done: int, total: int) -> None:
        """Nothing."""

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        """Nothing."""


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class Relay(Silent):
    """Tells a ``Progress`` how many of the steps are done, and what the last of them does."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._done, self._remaining = progress, 0, 0

    def planned(self, nodes: int, seconds: float | None) -> None:
        """Only counted."""
        self._remaining = nodes

    def started(self, node: Node) -> None:
        """Told by the name of the step."""
        self._tell(node, "")

    def progress(self, node: Node, text: str, done: int, total: int) -> None:
        """Told beside the name of the step."""
        share = f" {done} of {total}" if total else ""
        self._tell(node, f": {text}{share}" if text else share)

    def ended(self, node: Node, seconds: float, failure: str | None) -> None:
        """Only counted."""
        self._done += 1

    def _tell(self, node: Node, text: str) -> None:
        self._progress(
            f"{node.name} of {node.model}{text}", self._done, self._done + self._remaining
        )
