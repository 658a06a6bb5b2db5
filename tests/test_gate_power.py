"""How often the gate is wrong, and how often it finds what is slower, on simulated machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fqbench.gate.decision import CellEvidence, confirmed, decide, suspects
from fqbench.gate.evidence import SpeedEvidence, Tolerances
from fqbench.gate.verdict import Decision
from tests.noise import Noise

LAUNCHES, ROUNDS = 10, 10
SAME = (1.0,) * 6
"""Six cells; how many times as long HEAD takes in each."""

NOISE = Noise(launch=0.01)
ROUGH = Noise(launch=0.01, launch_df=3, bursts=0.1, burst_rounds=8, spikes=0.1)


def timed(noise: Noise, random: np.random.Generator, cell: int, ratio: float) -> SpeedEvidence:
    (base,), (head,) = noise.times(random, (1.0, ratio), (1, LAUNCHES, ROUNDS, 3)).tolist()
    return SpeedEvidence(str(cell), base, head)


def gate(
    noise: Noise, random: np.random.Generator, ratios: Sequence[float], tolerances: Tolerances
) -> Decision:
    """All a gate does: time the cells, time the suspects again, decide."""
    first = [timed(noise, random, cell, ratio) for cell, ratio in enumerate(ratios)]
    again = {
        cell: timed(noise, random, int(cell), ratios[int(cell)])
        for cell in suspects(first, tolerances)
    }
    cells = [CellEvidence(e.cell, speed=e, again=again.get(e.cell)) for e in first]
    return decide(cells, tolerances)


def called_slower(
    noise: Noise, ratios: Sequence[float], tolerances: Tolerances, trials: int
) -> list[set[str]]:
    """The cells that each trial calls slower."""
    random = np.random.default_rng(0)
    decisions = [gate(noise, random, ratios, tolerances) for _ in range(trials)]
    return [{v.cell for v in d.verdicts if v.status == "slower"} for d in decisions]


@pytest.mark.parametrize(("noise", "trials"), [(NOISE, 100), (ROUGH, 40)])
def test_five_percent_are_found(noise: Noise, trials: int) -> None:
    found = called_slower(noise, (1.0, 1.05, *SAME[2:]), Tolerances(), trials)
    share = np.mean([cells == {"1"} for cells in found])
    print(f"a slow-down of 5 % of one of six cells was found in {100 * share:.1f} % of {trials}")
    assert share >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("noise", [NOISE, ROUGH])
@pytest.mark.parametrize(
    ("ratios", "tolerances"),
    [
        pytest.param(SAME, Tolerances(), id="identical"),
        pytest.param(SAME, Tolerances(slowdown=0, absolute_ms=0), id="identical, none tolerated"),
        pytest.param((1.02,) * 6, Tolerances(absolute_ms=0), id="just tolerated"),
    ],
)
def test_false_alarms_are_rare(
    noise: Noise, ratios: Sequence[float], tolerances: Tolerances
) -> None:
    found = called_slower(noise, ratios, tolerances, 500)
    share = np.mean([bool(cells) for cells in found])
    print(f"{100 * share:.2f} % of 500 gates called something slower")
    assert share <= tolerances.alpha


@pytest.mark.slow
@pytest.mark.parametrize("noise", [NOISE, ROUGH])
def test_whatever_the_first_measurement_said_few_are_confirmed(noise: Noise) -> None:
    """Six suspects of identical code, nothing tolerated: the worst that can come."""
    random, tolerances = np.random.default_rng(0), Tolerances(slowdown=0, absolute_ms=0)
    trials = 2000
    alarms = [
        bool(confirmed([timed(noise, random, c, 1.0) for c in range(6)], tolerances))
        for _ in range(trials)
    ]
    share, deviation = np.mean(alarms), (0.01 * 0.99 / trials) ** 0.5
    print(f"{100 * share:.2f} % of {trials} confirmed something")
    assert share <= tolerances.alpha + 3 * deviation
