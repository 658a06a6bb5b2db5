"""What INT8 can gain at most on this CPU, and which runtimes are too slow in float for that.

Pure functions. INT8 makes a quarter of the bytes, and multiplies as fast as the machine does: of a
layer it saves no more than the larger of both. That is far from what a whole model gains, so what
it gained by another method or on other runtimes bounds it as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fqbench.best.front import Budget, Figures
from fqbench.best.halving import DOUBT, beats
from fqbench.measure import reference, stats
from fqbench.measure.stats import Interval, Launches

BYTES = 4.0
"""How many times fewer bytes INT8 has than FP32."""

ELSEWHERE = 1.5
"""How many times what INT8 gained by another method, or on any other runtime, it is taken to gain
at most: gains of public models differ by less between runtimes, but for one of 1.2 and 2.0 whose
second float is twice as slow."""


def most_gain(products: float | None, elsewhere: Collection[float]) -> float | None:
    """How many times as fast as FP32 INT8 is taken to be at most; None where nothing is known.

    ``products``: of ``int8_gain``; ``elsewhere``: what it gained by
    another method on the same runtime or, where none was tried, on other runtimes.
    """
    bounds = [] if products is None else [products]
    if elsewhere:
        bounds.append(ELSEWHERE * max(elsewhere))
    return min(bounds, default=None)


def int8_gain(times: Mapping[str, Launches]) -> float | None:
    """How many times as fast as FP32 INT8 is at most, by the reference kernels among ``times``.

    None where these were not timed.
    """
    if not {reference.FLOAT32, reference.INT8} <= times.keys():
        return None
    product = stats.ratio(times[reference.FLOAT32], times[reference.INT8])
    return max(BYTES, product.high)


def beyond(
    fp32: Figures, gain: float, candidates: Collection[Figures], budget: Budget
) -> Figures | None:
    """The fastest of ``candidates`` that INT8 of the runtime of ``fp32`` cannot beat at its best.

    None where it may win. ``gain``: of ``most_gain``.
    """
    most = Figures(fp32.name, _over(fp32.ms, gain), _over(fp32.pace, gain), fp32.size / BYTES)
    ordered = sorted(candidates, key=lambda each: each.pace.value)
    return next((each for each in ordered if beats(each, most, budget, DOUBT)), None)


def _over(time: Interval, gain: float) -> Interval:
    return Interval(time.value / gain, time.low / gain, time.high / gain)
