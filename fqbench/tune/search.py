"""Searches among settings by their error: ranges, and the fewest layers in float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

Error = Callable[[Collection[str]], float]
"""The error of the model in which the named layers or tensors are treated otherwise."""

RANGE_GROUPS = 6
"""Parts of the graph, each of which takes one kind of ranges."""
MAX_ERROR_RATIO = 0.97
"""An error must be below this part of another to count as smaller: the rest may be chance."""
MAX_RETRIED = 6
"""How many of the layers kept in float are tried in INT8 once more."""

SENSITIVITY_PIXELS = 12 * 4 * 640 * 640
"""How much of images layers are tried alone on, to measure the error of the whole."""
FEWEST_LAYERS, FEWEST_IMAGES = 12, 4
"""The worst layers by their own error, and the images, that are tried at least: small images leave
time for all layers."""

OnStep = Callable[[int, int], None]


def tried_alone(layers: int, images: int, pixels: int) -> tuple[int, int]:
    """How many of ``layers`` are tried alone, on how many of ``images`` of so many ``pixels``."""
    runs = SENSITIVITY_PIXELS // pixels
    count = min(layers, max(FEWEST_LAYERS, runs // FEWEST_IMAGES))
    return count, min(images, max(FEWEST_IMAGES, runs // count))


def sensitivities(
    error: Error, layers: Sequence[str], shown: Sequence[str], on_step: OnStep
) -> dict[str, float]:
    """The error of the model in which, of ``layers``, each of ``shown`` alone is quantized.

    ``error`` is that with the named layers in float.
    """
    found = {}
    for done, layer in enumerate(shown, start=1):
        found[layer] = error([name for name in layers if name != layer])
        on_step(done, len(shown))
    return found


def select_wide_ranges(error: Error, tensors: Sequence[str]) -> tuple[str, ...]:
    """Those of ``tensors``, in the graph's order, that are to take their wide range.

    ``error`` is that of the model in which the named ones do. They are tried in a few groups: all
    or none of them first, then each group the other way.
    """
    if not tensors:
        return ()
    groups = [frozenset(part.tolist()) for part in np.array_split(np.array(tensors), RANGE_GROUPS)]
    tried = {wide: error(wide) for wide in (frozenset[str](), frozenset(tensors))}
    chosen = min(tried, key=lambda wide: tried[wide])
    least = tried[chosen]
    for group in groups:
        other = chosen ^ group
        found = error(other)
        if found < MAX_ERROR_RATIO * least:
            chosen, least = other, found
    return tuple(name for name in tensors if name in chosen)


def minimal_float_prefix(
    error: Error, order: Sequence[str], limit: float
) -> tuple[tuple[str, ...], float]:
    """The fewest layers in float whose model has at most error ``limit``; worst first in ``order``.

    Bisection: one layer more in float makes the error no larger, except where rounding errors
    compensated each other by chance. Returns those layers and the error; all layers where none is
    enough.
    """
    least = error(())
    if least <= limit:
        return (), least
    few, many, found = 0, len(order), 0.0
    while many - few > 1:
        middle = (few + many) // 2
        tried = error(order[:middle])
        if tried <= limit:
            many, found = middle, tried
        else:
            few = middle
    return tuple(order[:many]), found


def give_back(error: Error, kept: Sequence[str], limit: float) -> tuple[str, ...]:
    """Those of ``kept``, the worst first, without which the error is above ``limit``.

    What was decided since they were chosen, as ranges, may leave few of them to be needed, or none:
    the fewest are found anew, and the last of these are then tried one by one.
    """
    left = list(minimal_float_prefix(error, kept, limit)[0])
    for layer in left[::-1][:MAX_RETRIED]:
        without = [name for name in left if name != layer]
        if error(without) <= limit:
            left = without
    return tuple(left)
