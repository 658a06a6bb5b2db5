"""Where an inference on a GPU spends its time: copying in, computing, copying out.

By events on the GPU's stream, one inference after another, as trtexec reports it. What else the
host does is in a cell's latency, which the host's clock measures, and not in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from fqbench.backends import nvidia
from fqbench.backends.base import Split
from fqbench.backends.nvidia import Conditions, NoGpu
from fqbench.isolate import Report
from fqbench.measure.cell_loading import Loadable
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

    @staticmethod
    def of(found: Mapping[str, Any]) -> GpuBreakdown:
        """From what ``time_split`` returns."""
        known = found["conditions"]
        conditions = known and Conditions(**{**known, "slowed": tuple(known["slowed"])})
        return GpuBreakdown(Split(**found["split"]), found["no_graph"], conditions)


def medians(splits: Sequence[Split]) -> Split:
    """The median of each part."""
    return Split(
        **{part.name: median(getattr(s, part.name) for s in splits) for part in fields(Split)}
    )


def time_split(arguments: Mapping[str, Any], report: Report) -> dict[str, Any] | None:
    """``GpuBreakdown`` of ``cell`` on ``image``, in a child process.

    None where its runner does not report its parts.
    """
    cell = Loadable.model_validate(arguments["cell"])
    runner: Any = cell.load(arguments["threads"])
    if not hasattr(runner, "split"):
        return None
    inputs = cell.feed(read_image(Path(arguments["image"])))
    for _ in range(WARM_UP):
        runner.run(inputs)
    found = []
    for done in range(RUNS):
        found.append(runner.split(inputs))
        report(done + 1, RUNS)
    conditions = None
    with suppress(NoGpu):  # Now, since an idle GPU lowers its clock within a second.
        conditions = asdict(nvidia.conditions())
    return {
        "split": asdict(medians(found)),
        "no_graph": runner.no_graph,
        "conditions": conditions,
    }
