"""How long each layer takes in FP32 and in INT8 on ONNX Runtime, and which form is fastest."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import onnx

from fqbench.backends.onnxruntime.runtime import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.measure.latency import Call, Effort, time_interleaved
from fqbench.measure.pinning import pinned
from fqbench.quantize.observe import Feed

RUNS = 5
EFFORT = Effort(warm_up=0.05, settling=0.3, block=0.02, rounds=15, fewest=6, longest=0.6)
"""Enough to tell 2 % from noise; far less than what a reported latency takes."""

KERNEL = re.compile(r"(?:_token_\d+)?_kernel_time$")
LAYERS = ("Conv", "FusedConv", "QLinearConv", "Gemm", "FusedGemm", "QGemm")


def layer_times(
    model: onnx.ModelProto, layers: Graph, feed: Feed, threads: int
) -> dict[str, float]:
    """Milliseconds that the kernel of each layer takes in ``model``, a form of ``layers``.

    A layer whose kernel cannot be told from its name, as optimizers rename nodes, is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = session_options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = open_session(model.SerializeToString(), options)
        given = _given(session, feed)
        for _ in range(RUNS):
            session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text())
    names = {node.name: node.name for node in layers.layers()}
    names.update({f"{node.output[0]}_nchwc": node.name for node in layers.layers()})
    names.update({f"{layers.result(node)}_nchwc": node.name for node in layers.layers()})
    times: dict[str, list[float]] = defaultdict(list)
    for event in events:
        kind = event.get("args", {}).get("op_name")
        if event.get("cat") == "Node" and kind in LAYERS and KERNEL.search(event["name"]):
            name = names.get(KERNEL.sub("", event["name"]))
            if name is not None:
                times[name].append(event["dur"] / 1000)
    return {name: median(found) for name, found in times.items()}


Rounds = Sequence[float]
"""Milliseconds of one side, round by round of those that took turns."""


def rounds(calls: Mapping[str, Call], threads: int) -> dict[str, Rounds]:
    """Median milliseconds of each of ``calls`` in each round, on ``threads`` cores."""
    with pinned(threads):
        timing = time_interleaved(calls, EFFORT)
    return {
        name: tuple(1000 * median(block) for block in blocks)
        for name, blocks in timing.blocks.items()
    }


def is_faster(one: Rounds, other: Rounds, part: float) -> bool:
    """Whether ``one`` takes less than ``part`` of the time of ``other``, in three of four rounds.

    What slows the machine for a while slows both sides of a round, and a few rounds only.
    """
    ratios = sorted(a / b for a, b in zip(one, other, strict=True))
    return ratios[(3 * len(ratios)) // 4] < part


def _given(session: Any, feed: Feed) -> dict[str, Any]:
    names: Sequence[str] = [value.name for value in session.get_inputs()]
    return dict(zip(names, feed, strict=True))
