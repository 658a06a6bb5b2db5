"""How long each layer takes on ONNX Runtime, by its own profile."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.graph.executor import Feed, open_session, session_options
from fqbench.graph.graph import Graph

RUNS = 5

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
        inputs = _named_inputs(session, feed)
        for _ in range(RUNS):
            session.run(None, inputs)
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


def _named_inputs(session: Any, feed: Feed) -> dict[str, NDArray[np.float32]]:
    names: Sequence[str] = [value.name for value in session.get_inputs()]
    return dict(zip(names, feed, strict=True))
