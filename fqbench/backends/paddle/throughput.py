"""Paddle Inference at full load: one predictor with a thread for each core, or several predictors.

Each lives in the thread that loaded it, as oneDNN needs it, and so is loaded for itself: a clone
would be made in another thread.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench.backends.paddle.runtime import PaddleInference
from fqbench.backends.throughput import Callers, Way, described, divisions


def ways(folder: Path, *, device: str, precision: str, cores: int) -> tuple[Way, ...]:
    """See ``fqbench.backends.throughput.FindWays``."""

    def load(callers: int, threads: int) -> Callers:
        prepare = partial(
            PaddleInference().prepare,
            folder,
            device=device,
            precision=precision,
            threads=threads,
        )
        return Callers([prepare] * callers)

    return tuple(
        Way(described(callers, threads), partial(load, callers, threads))
        for callers, threads in divisions(cores)
    )
