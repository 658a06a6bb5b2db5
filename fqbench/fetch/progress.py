"""Who is told how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Report = Callable[[int, int | None], None]
"""Called with the bytes that are done and, where it is known, how many there are."""


class Listener(Protocol):
    """Whoever asked for the items."""

    def say(self, text: str) -> None:
        """Something worth a line."""

    def progress(self, text: str, done: int, total: int | None) -> None:
        """Bytes of ``text`` that are done; ``total``: None where it is not known."""
