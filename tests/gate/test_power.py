"""How often the gate is wrong, and how often it finds what is slower, on simulated machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fqbench.gate.decision import CellEvidence, confirmed, decide, suspects
from fqbench.gate.evidence import SpeedEvidence, Tolerances
from fqbench.gate.verdict import Decision
from tests.support.noise import Noise

SAME = (1.0,) * 6
"""Six cells; how many times as long HEAD takes in each."""

NOISE = Noise(launch=0.01)
ROUGH = Noise(launch=0.01, launch_df=3, bursts=0.1, burst_rounds=8, spikes=0.1)
SHORT, USUAL = (1, 10, 10, 3), (1, 10, 30, 4)
"""One trial of ten launches: rounds, and times of a block. Four times of 5 ms are 20 ms."""


def timed(
    noise: Noise, random: np.random.Generator, cell: int, ratio: float, size: tuple[int, ...]
) -> SpeedEvidence:
    (base,), (head,) = noise.times(random, (1.0, ratio), size).tolist()
    return SpeedEvidence(str(cell), base, head)


def gate(
    noise: Noise,
    random: np.random.Generator,
    ratios: Sequence[float],
    tolerances: Tolerances,
    size: tuple[int, ...],
) -> Decision:
    """All a gate does: time the cells, time the suspects again, decide."""
    first = [timed(noise, random, cell, ratio, size) for cell, ratio in enumerate(ratios)]
    again = {
        cell: timed(noise, random, int(cell), ratios[int(cell)], size)
        for cell in suspects(first, tolerances)
    }
    cells = [CellEvidence(e.cell, speed=e, again=again.get(e.cell)) for e in first]
    return decide(cells, tolerances)


@pytest.mark.slow
def test_five_percent_are_found_and_the_rest_is_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    random, trials = np.random.default_rng(0), 100
    ratios = (1.0, 1.05, *SAME[2:])
    decisions = [gate(NOISE, random, ratios, Tolerances(), USUAL) for _ in range(trials)]
    statuses = np.array([[verdict.status for verdict in d.verdicts] for d in decisions])
    found = np.mean(statuses[:, 1] == "slower")
    same = np.mean(np.delete(statuses, 1, axis=1) == "same")
    with capsys.disabled():
        print(
            f"\n5 % slower found: {100 * found:.0f} %; others called the same: {100 * same:.0f} %"
        )
    assert found >= 0.95
    assert same >= 0.9
    assert [d.exit_code for d in decisions] == [int(s == "slower") for s in statuses[:, 1]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "ratios", "tolerances"),
    [
        pytest.param(NOISE, SAME, Tolerances(), id="identical"),
        pytest.param(NOISE, SAME, Tolerances(0, 0), id="identical, nothing tolerated"),
        pytest.param(ROUGH, SAME, Tolerances(0, 0), id="identical, nothing tolerated, rough"),
        pytest.param(NOISE, (1.02,) * 6, Tolerances(0.02, 0), id="just tolerated"),
    ],
)
def test_false_alarms_are_rare(
    noise: Noise,
    ratios: Sequence[float],
    tolerances: Tolerances,
    capsys: pytest.CaptureFixture[str],
) -> None:
    random, trials = np.random.default_rng(0), 300
    decisions = [gate(noise, random, ratios, tolerances, SHORT) for _ in range(trials)]
    share = np.mean([decision.exit_code == 1 for decision in decisions])
    with capsys.disabled():
        print(f"\n{100 * share:.2f} % of {trials} gates called something slower")
    assert share <= tolerances.alpha


@pytest.mark.slow
@pytest.mark.parametrize("noise", [NOISE, ROUGH])
def test_few_are_confirmed_whatever_the_first_measurement_said(
    noise: Noise, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six suspects of identical code, nothing tolerated: the worst that can come."""
    random, trials, tolerances = np.random.default_rng(0), 1000, Tolerances(0, 0)
    alarms = [
        bool(confirmed([timed(noise, random, c, 1.0, SHORT) for c in range(6)], tolerances))
        for _ in range(trials)
    ]
    share, deviation = np.mean(alarms), (0.01 * 0.99 / trials) ** 0.5
    with capsys.disabled():
        print(f"\n{100 * share:.2f} % of {trials} confirmed something")
    assert share <= tolerances.alpha + 3 * deviation
