"""Surroundings of commands that run in this process."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from fqbench.cli import run as run_command
from fqbench.pipeline.cell_steps import Request
from tests.support.quick_fqbench import BUDGET


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models_read_here: None) -> None:
    """An empty cache, no data root, hardly any timing, and lines as long as they are."""
    monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(run_command, "Request", partial(Request, budget=BUDGET))
