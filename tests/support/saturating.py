"""Children whose CPU has no VNNI, on any machine that can hide it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from fqbench.isolate.parent import _run, _Watch
from tools.cpu_mask.mask import MaskError, hidden


def environment() -> dict[str, str]:
    """Variables with which children of this machine saturate; skips where there are none."""
    found = _environment()
    if isinstance(found, str):
        pytest.skip(f"no CPU without VNNI here, and none to stand for it: {found}")
    return found


@cache
def _environment() -> dict[str, str] | str:
    try:
        hiding = hidden("avx2", Path(user_cache_path("fqbench")) / "cpu_mask")
    except MaskError as error:
        hiding = {}
        reason = str(error)
    else:
        reason = "ONNX Runtime chose other kernels"
    saturates = _run(
        "tests.support.saturating_functions:saturates", {}, hiding, _Watch("the test", 60)
    )
    return hiding if saturates else reason


def ask(function: str, arguments: dict[str, object], timeout_s: float = 120.0) -> object:
    """What ``function`` of ``tests.support.saturating_functions`` answers in such a child."""
    return _run(
        f"tests.support.saturating_functions:{function}",
        arguments,
        {**environment(), "OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s),
    )


@cache
def paddle_saturates() -> bool:
    """Whether Paddle's 8-bit products saturate here, with nothing hidden."""
    return bool(
        _run("tests.support.saturating_functions:paddle_saturates", {}, {}, _Watch("the test", 60))
    )
