"""Simulated times of two sides with a known ratio, for tests of what is concluded from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """What a machine that others use, too, does to times; spreads are of their logarithms.

    ``drift`` is what the machine's speed moves from round to round, the same for all sides, and
    ``memory`` how much of it is left in the next round (1: it never comes back). A burst starts in
    a round with a chance of ``bursts``, lasts ``burst_rounds`` on average and takes up to a share
    of ``burst_cost`` more, for each block another. A single time varies by ``spread``, and with a
    chance of ``spikes`` it takes longer by a Pareto share of heavy tail. What a start of a side
    gets stays for the launch: ``launch``, Gaussian or, with few ``launch_df``, Student's t.
    Between launches lies so much time that drift and bursts begin anew.
    """

    base_s: float = 0.005
    drift: float = 0.01
    memory: float = 0.9
    bursts: float = 0.05
    burst_rounds: float = 4.0
    burst_cost: float = 0.5
    spread: float = 0.02
    spikes: float = 0.02
    launch: float = 0.01
    launch_df: float = np.inf

    def times(
        self, random: np.random.Generator, ratios: tuple[float, ...], size: tuple[int, ...]
    ) -> Times:
        """Seconds [sides, trials, launches, rounds, times]; ``size`` is all but the sides.

        Side ``i`` takes ``ratios[i]`` times as long as the first would with a ratio of 1.
        """
        sides, (trials, launches, rounds, _) = len(ratios), size
        shared = (1, trials, launches, rounds, 1)
        cost = self.burst_cost * random.random((sides, *shared[1:]))
        slower = 1 + self._bursts(random, (trials * launches, rounds)).reshape(shared) * cost
        logs = random.normal(0, self.spread, (sides, *size))
        logs += self._drift(random, (trials * launches, rounds)).reshape(shared)
        logs += self.launch * self._starts(random, (sides, trials, launches, 1, 1))
        times = self.base_s * np.exp(logs) * slower
        spike = random.random(times.shape) < self.spikes
        times[spike] *= 1 + random.pareto(1.5, int(spike.sum()))
        return np.asarray(times * np.reshape(ratios, (-1, 1, 1, 1, 1)))

    def _drift(self, random: np.random.Generator, shape: tuple[int, int]) -> Times:
        moves = random.normal(0, self.drift, shape)
        if self.memory < 1:
            moves[:, 0] /= np.sqrt(1 - self.memory**2)  # stationary from the first round on
        return np.asarray(lfilter([1.0], [1.0, -self.memory], moves))

    def _bursts(self, random: np.random.Generator, shape: tuple[int, int]) -> Times:
        """1 where a burst is on, as a Markov chain in its stationary state, else 0."""
        share = self.bursts * self.burst_rounds / (1 + self.bursts * self.burst_rounds)
        state = random.random(shape[0]) < share
        found = np.empty(shape)
        for step in range(shape[1]):
            found[:, step] = state
            chance = np.where(state, 1 - 1 / self.burst_rounds, self.bursts)
            state = random.random(shape[0]) < chance
        return found

    def _starts(self, random: np.random.Generator, shape: tuple[int, ...]) -> Times:
        if np.isinf(self.launch_df):
            return random.normal(size=shape)
        return random.standard_t(self.launch_df, size=shape)
