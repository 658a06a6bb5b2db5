"""Tests that need Paddle: they run wherever it is installed, and say so where it is not."""

from __future__ import annotations

import importlib.util

import pytest

HERE = importlib.util.find_spec("paddle") is not None
"""Found without importing it, which would end in a crash beside pycocotools."""
REASON = "Paddle is not installed: pip install 'fqbench[paddle]'"

needs_paddle = pytest.mark.skipif(not HERE, reason=REASON)
PADDLE = pytest.param("paddle", marks=needs_paddle)
"""The backend's name as a parameter."""


def require_paddle() -> None:
    """Skip what uses a fixture that needs Paddle where it is not installed."""
    if not HERE:
        pytest.skip(REASON)
