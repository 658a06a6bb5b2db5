"""Where an inference on a GPU spends its time: copying in, computing, copying out.

By events on the GPU's stream, one inference after another, as trtexec reports it. What the host
does beside is in a cell's latency, which the host's clock tells, and not in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

from fqbench.backends.base import Split
from fqbench.isolate import Report
from fqbench.measure import loaded
from fqbench.vision.image import read_image

WARM_UP, RUNS = 50, 200


def medians(splits: Sequence[Split]) -> Split:
    """The median of each part."""
    return Split(
        **{part.name: median(getattr(s, part.name) for s in splits) for part in fields(Split)}
    )


def time_split(arguments: Mapping[str, Any], report: Report) -> dict[str, Any] | None:
    """Medians of ``cell`` on ``image`` in a child process, and why there is no CUDA graph.

    None where its runner tells no parts.
    """
    cell = arguments["cell"]
    runner: Any = loaded.load(cell, arguments["threads"])
    if not hasattr(runner, "split"):
        return None
    inputs = loaded.feed(cell, read_image(Path(arguments["image"])))
    for _ in range(WARM_UP):
        runner.run(inputs)
    found = []
    for done in range(RUNS):
        found.append(runner.split(inputs))
        report(done + 1, RUNS)
    return {"split": asdict(medians(found)), "no_graph": runner.no_graph}
