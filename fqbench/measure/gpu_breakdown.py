"""Where an inference on a GPU spends its time: copying in, computing, copying out.

By events on the GPU's stream, one inference after another, as trtexec reports it. What else the
host does is in a cell's latency, which the host's clock measures, and not in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any

from fqbench.backends import nvidia
from fqbench.backends.base import Split
from fqbench.backends.nvidia import Conditions, NoGpu
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.measure.messages import CellMeasurement
from fqbench.vision.image import read_image

WARM_UP, RUNS = 50, 200


@dataclass(frozen=True)
class GpuBreakdown:
    """Where inferences spend their time on a GPU, and what the GPU was doing then.

    ``no_graph``: why kernels are not launched as one CUDA graph, None where they are.
    ``conditions``: clocks, temperature and the like after the last inference; None: unknown.
    """

    split: Split
    no_graph: str | None = None
    conditions: Conditions | None = None


def medians(splits: Sequence[Split]) -> Split:
    """The median of each part."""
    return Split(
        **{part.name: median(getattr(s, part.name) for s in splits) for part in fields(Split)}
    )


def time_split(arguments: Mapping[str, Json], report: Report) -> dict[str, Json] | None:
    """The ``GpuBreakdown`` of what ``arguments``, a ``CellMeasurement``, says, as JSON.

    Runs in a child process. None where the cell's runner does not report its parts.
    """
    asked = CellMeasurement.model_validate(arguments)
    runner: Any = asked.cell.load(asked.threads)
    if not hasattr(runner, "split"):
        return None
    inputs = asked.cell.feed(read_image(asked.image))
    for _ in range(WARM_UP):
        runner.run(inputs)
    found = []
    for done in range(RUNS):
        found.append(runner.split(inputs))
        report(done + 1, RUNS)
    conditions = None
    with suppress(NoGpu):  # Now, since an idle GPU lowers its clock within a second.
        conditions = nvidia.conditions()
    return asdict(GpuBreakdown(medians(found), runner.no_graph, conditions))
