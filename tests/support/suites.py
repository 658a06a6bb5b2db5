"""Suites of the self-test with times from a random generator: identical sides, little noise."""

from __future__ import annotations

import random

from fqbench.gate.live.comparison import CellTimes
from fqbench.gate.selftest.trial import Suite
from fqbench.measure.launches import LaunchRecording

CELLS = ("a", "b", "c")


def side(noise: random.Random, seconds: float = 0.01) -> tuple[tuple[float, ...], ...]:
    """One launch: eight rounds of three times."""
    return tuple(tuple(seconds * noise.gauss(1, 0.004) for _ in range(3)) for _ in range(8))


def recorded(noise: random.Random, launches: int = 8, **seconds: float) -> LaunchRecording:
    """A measurement of both sides; ``seconds``: a side's typical time, where not 0.01."""
    times = {
        name: tuple(side(noise, seconds.get(name, 0.01)) for _ in range(launches))
        for name in ("base", "head")
    }
    return LaunchRecording(times, "narrow", True, (1.5,) * launches)


def suites(count: int = 4) -> list[Suite]:
    noise = random.Random(1)
    return [Suite({cell: CellTimes(recorded(noise)) for cell in CELLS}) for _ in range(count)]
