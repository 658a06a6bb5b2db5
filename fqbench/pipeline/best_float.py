"""The fastest float cell of a model, and how the others compare with it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.measure.stats import Interval, Launches
from fqbench.precisions import precision
from fqbench.results import BestFloat


def fastest_float(times: Mapping[Cell, Launches]) -> Cell | None:
    """The fastest of the cells that compute in float, all timed in turns; None where none does."""
    floats = [cell for cell in times if precision(cell.precision).weights.kind == "float"]
    if not floats:
        return None
    first = times[floats[0]]
    speeds = {cell: stats.ratio(first, times[cell]).value for cell in floats[1:]}
    return max(floats, key=lambda cell: speeds.get(cell, 1.0))


def against_best_float(times: Mapping[Cell, Launches]) -> dict[Cell, BestFloat]:
    """How many times as fast as the fastest float each cell is; empty where there is no float.

    ``times``: of the cells of one model and device, round by round of the same launches. Raises
    ValueError as ``stats.ratio``.
    """
    best = fastest_float(times)
    if best is None:
        return {}
    same = Interval(1.0, 1.0, 1.0)
    return {
        cell: BestFloat(best, same if cell == best else stats.ratio(times[best], found))
        for cell, found in times.items()
    }
