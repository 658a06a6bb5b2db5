"""Who is faster, who is more accurate, and whether that is beyond noise. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fqbench.measure import stats
from fqbench.measure.accuracy import lost
from fqbench.measure.stats import Interval, Launches
from fqbench.measure.undisturbed import fastest_ratio

NOISE = 1.02
"""How many times faster is nothing: where a process happens to lie in memory is worth a percent."""


@dataclass(frozen=True)
class Comparison:
    """A form of fqbench beside a form of a peer, by their names.

    ``speedup``: how many times faster the peer is; ``fastest``: in the fastest rounds of both,
    which other processes hardly disturbed. ``gain``: by how many points it is more accurate; None
    where there are no labels to measure accuracy with.
    """

    own: str
    peer: str
    speedup: Interval
    fastest: Interval
    gain: Interval | None

    @property
    def faster(self) -> bool:
        """Whether the peer is faster beyond noise, and not only because others disturb it less."""
        return self.speedup.low > NOISE and self.fastest.value > NOISE

    @property
    def slower(self) -> bool:
        """Whether the peer is slower beyond noise, and not only because others disturb it more."""
        return self.speedup.high < 1 / NOISE and self.fastest.value < 1 / NOISE

    @property
    def more_accurate(self) -> bool:
        """Whether the peer is more accurate, beyond the choice of images."""
        return self.gain is not None and self.gain.low > 0

    @property
    def less_accurate(self) -> bool:
        """Whether the peer is less accurate, beyond the choice of images."""
        return self.gain is not None and self.gain.high < 0

    @property
    def beaten(self) -> bool:
        """Whether the peer is better in both."""
        return self.faster and self.more_accurate


@dataclass(frozen=True)
class Measured:
    """What two forms are compared by: times, and accuracy as ``accuracy.resampled`` gives it."""

    name: str
    times: Launches
    accuracy: NDArray[np.float64] | None


def compare(own: Measured, peer: Measured) -> Comparison:
    """Both were timed in the same rounds, and evaluated on the same images."""
    gain = None
    if own.accuracy is not None and peer.accuracy is not None:
        gain = lost(peer.accuracy, own.accuracy)
    speedup = stats.ratio(own.times, peer.times)
    fastest = fastest_ratio(own.times, peer.times)
    return Comparison(own.name, peer.name, speedup, fastest, gain)


def ahead_of_fqbench(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """The peers that are better in both time and accuracy than every form of fqbench.

    Than every form, since a user takes the form that suits best.
    """
    peers = dict.fromkeys(comparison.peer for comparison in comparisons)
    return tuple(peer for peer in peers if all(c.beaten for c in comparisons if c.peer == peer))
