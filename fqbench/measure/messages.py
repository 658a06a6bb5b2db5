"""What processes that measure are called with, and what those that time are asked.

Processes that time are also started and asked by other versions of fqbench: keys keep their names
and meaning there, and those that a later version adds are ignored.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict

from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import Call, TimingBudget
from fqbench.message import Message


class CellMeasurement(Message):
    """A cell, the file of the image that it is fed, and how many threads it runs in."""

    cell: Loadable
    image: Path
    threads: int

    def call(self) -> Call:
        """One inference. Raises StepError where the cell cannot be loaded."""
        return self.cell.call(self.image, self.threads)


class NodeTiming(CellMeasurement):
    """A cell whose nodes are to be timed; ``canonical``: the file of the graph it was made of."""

    canonical: Path


class CellTiming(CellMeasurement):
    """A cell to be timed, which questions call ``side``."""

    side: str


class KernelTiming(Message):
    """The reference kernels to be timed."""

    threads: int


class CellLaunch(CellTiming):
    """What ``stopwatch.time_cell`` is called with; ``cores``: to bind itself to, none: to no core.

    Each launch draws the cores; the rest is known before.
    """

    model_config = ConfigDict(extra="ignore")

    cores: tuple[int, ...]


class KernelLaunch(KernelTiming):
    """What ``stopwatch.time_reference`` is called with; ``cores`` as in ``CellLaunch``."""

    model_config = ConfigDict(extra="ignore")

    cores: tuple[int, ...]


class WarmUp(Message):
    """Run ``side`` until its times settle. Answer: how many inferences fill a block."""

    model_config = ConfigDict(extra="ignore")

    side: str
    warm_up: TimingBudget


class TimeBlock(Message):
    """Time ``runs`` inferences of ``side``. Answer: the seconds of each."""

    model_config = ConfigDict(extra="ignore")

    side: str
    runs: int


Question = WarmUp | TimeBlock
