"""How exactly this machine lets one figure be known: two fixed products are timed in turns.

They are timed as cells are, in processes that are started again and again, and their ratio has the
interval that a cell's ratio would have. So the machine is judged by what a measurement needs of
it, and not by how much its single times vary: what slows both sides alike does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fqbench.errors import StepError
from fqbench.gate.live.comparison import ComparisonSettings
from fqbench.measure import reference, stats
from fqbench.measure.launches import NARROW, kernels, record
from fqbench.measure.reference import FLOAT32, INT8, Speed
from fqbench.measure.stats import Launches

SECONDS = 12.0

Verdict = Literal["quiet", "noisy", "too noisy"]

_MORE = 4.0
"""How many times the gate's time per cell is still worth taking."""


@dataclass(frozen=True)
class Noise:
    """What timing for ``seconds`` showed.

    ``width``: half of the 95 % interval of the ratio of two products, as a part of the ratio.
    ``speed``: what the machine did meanwhile.
    """

    seconds: float
    width: float
    speed: Speed

    @property
    def seconds_for_gate(self) -> float:
        """About how long a cell must be timed to be known as the gate wants it, to ``NARROW``.

        Intervals narrow with the square root of the time.
        """
        return self.seconds * (self.width / NARROW) ** 2

    @property
    def verdict(self) -> Verdict:
        """``quiet``: the gate's own time per cell suffices; ``noisy``: more of it would."""
        given = ComparisonSettings().budget.longest
        if self.seconds_for_gate <= given:
            return "quiet"
        return "noisy" if self.seconds_for_gate <= _MORE * given else "too noisy"


def listen(seconds: float, threads: int = 1) -> Noise:
    """Time the products for about ``seconds``. Raises StepError where they cannot be timed."""
    budget = replace(ComparisonSettings().budget, longest=seconds)
    recorded = record([kernels(threads)], budget, lambda times: False)
    if recorded.failures:
        raise StepError(next(iter(recorded.failures.values())))
    return noise(recorded.times, sum(recorded.seconds))


def noise(times: Mapping[str, Launches], seconds: float) -> Noise:
    """Of times in seconds of the reference kernels, by name, that took ``seconds`` to record."""
    found = stats.ratio(times[FLOAT32], times[INT8])
    speed = reference.speed([times])
    if speed is None:
        raise StepError("timing the reference kernels gave no times")
    return Noise(seconds, (found.high - found.low) / 2 / found.value, speed)
