"""Where data and official weights are."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def data_root(option: Path | None) -> Path:
    """The folder that was named, else fqbench's place among the user's data."""
    return option if option is not None else platformdirs.user_data_path("fqbench")
