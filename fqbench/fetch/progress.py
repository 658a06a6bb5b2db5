"""Progress callbacks and disk-space checks, for downloading and unpacking alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fqbench.errors import StepError

Report = Callable[[int, int | None], None]
"""Called with the bytes that are done and, where it is known, how many there are."""


class Listener(Protocol):
    """What the caller of ``fetch`` is notified through."""

    def say(self, text: str) -> None:
        """Something worth a line."""

    def progress(self, text: str, done: int, total: int | None) -> None:
        """Bytes of ``text`` that are done; ``total``: None where it is not known."""


def require_space(folder: Path, size: int) -> None:
    """Raise StepError where the disk of ``folder`` has fewer than ``size`` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise StepError(
            f"the disk of {folder} has {megabytes(free)} free and {megabytes(size)} are needed:"
            " free some space or choose another folder by --data-root"
        )


def megabytes(size: int) -> str:
    """A size for people: ``"12.3 MB"`` (10^6 bytes)."""
    return f"{size / 1e6:.1f} MB"
