"""How long each operator takes on Paddle Inference, by the log of its executor.

The executor logs when an operator starts. The time from one start to the next is the operator's:
what Paddle does around a kernel is part of it. That of the last one ends with the run.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from fqbench.backends.node_times import NodeTime, Role
from fqbench.backends.paddle.backend import CONVOLUTIONS
from fqbench.backends.paddle.runtime import settings
from fqbench.errors import StepError
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph

RUNS = 12
DROPPED = 2
"""First runs, in which kernels are compiled and weights reordered."""

LOGGING = {"GLOG_minloglevel": "0", "GLOG_vmodule": "naive_executor=5", "GLOG_logtostderr": "1"}
"""Read once, when Paddle is imported."""

STARTED = re.compile(
    r"^I\d+ (?P<h>\d+):(?P<m>\d+):(?P<s>[\d.]+).* run Op\((?P<kind>\w+)\), "
    r"inputs:\{(?P<inputs>.*?)\}, outputs:\{(?P<outputs>.*)\}"
)
TENSOR = re.compile(r"(\w+)\[([^\[\]]+)\]\(\{\}\)")
"""Type and sizes of a tensor in the log."""
WEIGHT = re.compile(r"(?:Filter|W|Y)\[([^\[\]:]+)")

PRODUCTS = ("fc", "mul", "matmul", "matmul_v2", "fused_matmul")
CONVERSIONS = ("quantize", "dequantize", "requantize")
INTEGERS = ("int8_t", "uint8_t", "int8", "uint8")


@dataclass(frozen=True)
class Operator:
    """An operator of the program, in the order in which they run; ``ms``: what it takes.

    ``reads``, ``writes``: type and sizes of its tensors; ``weight``: the name of a layer's.
    """

    kind: str
    reads: tuple[tuple[str, str], ...]
    writes: tuple[tuple[str, str], ...]
    weight: str | None
    ms: float


def time_nodes(
    folder: Path, canonical: Graph, feed: Feed, *, precision: str, threads: int
) -> list[NodeTime]:
    """See ``fqbench.backends.node_times.TimeNodes``. Layers are called by their weights."""
    return [
        NodeTime(
            kind=each.kind,
            role=(role := _role(each.kind)),
            layer=each.weight if role == "layer" else None,
            depthwise=each.kind in CONVOLUTIONS and _is_depthwise(each),
            integers=any(kind in INTEGERS for kind, _ in each.reads),
            ms=each.ms,
        )
        for each in time_operators(folder, feed, precision, threads)
    ]


def time_operators(folder: Path, feed: Feed, precision: str, threads: int) -> list[Operator]:
    """The operators of the program in ``folder`` as Paddle Inference runs it.

    Paddle must not be imported yet, or with ``LOGGING`` set; it goes on logging. Raises StepError.
    """
    if "paddle" in sys.modules and not LOGGING.items() <= os.environ.items():
        raise StepError(
            "Paddle was imported before its log was asked for: profile in a new process"
        )
    os.environ.update(LOGGING)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        before = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            ends = _run(folder, feed, precision, threads)
        finally:
            os.dup2(before, 2)
            os.close(before)
        log.seek(0)
        return operators(log.readlines(), ends)


def _run(folder: Path, feed: Feed, precision: str, threads: int) -> list[float]:
    """Run a model; when each run ended, in seconds of the day, as the log has them."""
    from fqbench.convert.paddle_executor import Predictor

    predictor = Predictor(settings(folder, precision, threads, logs=True))
    ends = []
    for _ in range(RUNS):
        predictor.run(feed)
        now = datetime.now()
        ends.append(3600 * now.hour + 60 * now.minute + now.second + now.microsecond / 1e6)
    return ends


def operators(log: Sequence[str], ends: Sequence[float]) -> list[Operator]:
    """The operators by the ``log`` of ``RUNS`` runs. Raises StepError where it is not that.

    ``ends``: when each run ended, in seconds of the day.
    """
    started = [match for line in log if (match := STARTED.match(line))]
    if not started or len(started) % RUNS:
        raise StepError(
            f"Paddle's log tells of {len(started)} operators in {RUNS} runs: its format is of"
            " another version"
        )
    count = len(started) // RUNS
    times = [3600 * int(m["h"]) + 60 * int(m["m"]) + float(m["s"]) for m in started]
    runs = [
        np.diff([*times[run * count : (run + 1) * count], ends[run]])
        for run in range(DROPPED, RUNS)
    ]
    fastest = 1000 * np.min(runs, axis=0)
    return [
        _operator(match, ms) for match, ms in zip(started[-count:], fastest.tolist(), strict=True)
    ]


def _operator(match: re.Match[str], ms: float) -> Operator:
    weight = WEIGHT.search(match["inputs"])
    return Operator(
        match["kind"],
        tuple(TENSOR.findall(match["inputs"])),
        tuple(TENSOR.findall(match["outputs"])),
        weight[1] if weight is not None else None,
        ms,
    )


def _role(kind: str) -> Role:
    if kind in CONVOLUTIONS or kind in PRODUCTS:
        return "layer"
    return "conversion" if kind in CONVERSIONS else "operator"


def _is_depthwise(operator: Operator) -> bool:
    """Whether its weight, of four axes like what it reads, has one input channel."""
    sizes = [text.split(",") for _, text in operator.reads]
    channels = [int(each[1]) for each in sizes if len(each) == 4]
    return min(channels, default=0) == 1 < max(channels, default=0)
