"""ONNX Runtime at full load: one session with a thread for each core, or several callers.

Where an inference takes one thread, callers share a session and so its weights; else each has its
own, whose threads no other caller's inference occupies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from fqbench.backends.base import Runner
from fqbench.backends.onnxruntime.runtime import OnnxRuntime
from fqbench.backends.throughput import Callers, Way, described, divisions

ON_GPU = (1, 2)
"""Callers of a session on a GPU: a second one queues its work while the first one's runs."""


def ways(folder: Path, *, device: str, precision: str, cores: int) -> tuple[Way, ...]:
    """See ``fqbench.backends.throughput.FindWays``."""

    def session(threads: int) -> Runner:
        return OnnxRuntime().prepare(folder, device=device, precision=precision, threads=threads)

    divided = divisions(cores) if device == "cpu" else tuple((callers, 1) for callers in ON_GPU)
    return tuple(
        Way(described(callers, threads), partial(_callers, session, callers, threads))
        for callers, threads in divided
    )


def _callers(session: Callable[[int], Runner], callers: int, threads: int) -> Callers:
    if threads > 1:
        return Callers([partial(session, threads)] * callers)
    shared = session(threads)
    return Callers([lambda: shared] * callers)
