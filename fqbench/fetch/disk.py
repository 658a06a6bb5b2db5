"""Room on a disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from fqbench.errors import StepError


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
