"""TensorRT at full load: several engines' streams side by side on the GPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fqbench.backends.base import Runtime
from fqbench.backends.tensorrt.runtime import TensorRT, TensorRTForRTX
from fqbench.backends.throughput import Callers, Way

STREAMS = (1, 2, 4)
"""Sessions, each with a stream of its own in a thread of its own: copies of one overlap with what
another one computes, and small kernels of several fill the GPU."""


def ways(folder: Path, *, device: str, precision: str, cores: int) -> tuple[Way, ...]:
    """See ``fqbench.backends.throughput.FindWays``; ``cores`` are not what limits it."""
    return _ways(TensorRT(), folder, device=device, precision=precision)


def ways_for_rtx(folder: Path, *, device: str, precision: str, cores: int) -> tuple[Way, ...]:
    """As ``ways``, of TensorRT for RTX."""
    return _ways(TensorRTForRTX(), folder, device=device, precision=precision)


def _ways(runtime: Runtime, folder: Path, *, device: str, precision: str) -> tuple[Way, ...]:
    session = partial(runtime.prepare, folder, device=device, precision=precision, threads=1)
    return tuple(
        Way(_described(streams), partial(Callers, [session] * streams)) for streams in STREAMS
    )


def _described(streams: int) -> str:
    return "one stream" if streams == 1 else f"{streams} streams"
