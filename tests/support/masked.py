"""Variables for children whose CPU has fewer instruction sets."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from tools.cpu_mask.mask import MaskError, hidden


def hiding(profile: str) -> dict[str, str]:
    """Variables with which a child has the CPU ``profile``; skips where that cannot be hidden."""
    found = _hiding(profile)
    if isinstance(found, str):
        pytest.skip(f"instruction sets cannot be hidden here: {found}")
    return found


@cache
def _hiding(profile: str) -> dict[str, str] | str:
    try:
        return hidden(profile, Path(user_cache_path("fqbench")) / "cpu_mask")
    except MaskError as error:
        return str(error)
