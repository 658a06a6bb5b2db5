"""What can be said of a budget before anything runs: pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fqbench.best.front import Budget
from fqbench.counting import counted, measured, verb
from fqbench.measure.margin import images_needed
from fqbench.measure.stats import Interval

OTHERWISE = 0.01
"""The part of the images that an INT8 model typically answers otherwise, to plan with."""

SMALLEST = 0.24
"""The part of an FP32 file that its INT8 form has at least: a byte for four, and nothing else."""


def doubts(budget: Budget, images: int | None, source_mb: float) -> Iterator[str]:
    """What is doubtful about ``budget``, a sentence each.

    ``images``: how many are evaluated, None where they carry no labels; ``source_mb``: size of the
    model as it is given, in 10^6 bytes.
    """
    if images is not None:
        few = too_few_images(budget, images)
        if few is not None:
            yield few
    if budget.size is not None and budget.size < SMALLEST * source_mb:
        yield (
            f"nothing is expected to be inside {budget.size:g} MB: the model has"
            f" {source_mb:.2f} MB, in INT8 at least {SMALLEST * source_mb:.2f} MB"
        )
    if budget.drop is not None and budget.drop >= 100:
        yield f"a drop of {measured(budget.drop, 'point')} limits nothing: accuracy has 100"


def too_few_images(budget: Budget, images: int) -> str | None:
    """Why ``images`` evaluated images cannot tell the drop of ``budget``; None where they can.

    As if a file answered ``OTHERWISE`` of them otherwise than FP32, right as often as wrong.
    """
    if budget.drop is None:
        return None
    reach = 1.96 * 100 * math.sqrt(OTHERWISE / images)
    if reach <= budget.drop:
        return None
    needed = images_needed(Interval(0.0, -reach, reach), budget.drop, images)
    more = "no number of images would" if needed is None else f"about {needed} would"
    return (
        f"{counted(images, 'image')} hardly {verb(images, 'tells', 'tell')} a drop of"
        f" {measured(budget.drop, 'point')}: where 1 % of them are"
        f" answered otherwise, a drop is known to {reach:.2f} points only; {more} tell."
        f" {_CONSEQUENCE[budget.judge]}"
    )


_CONSEQUENCE = {
    "interval": "What is not known to be inside does not win",
    "estimate": "A file wins by its drop as measured; --judge interval asks for certainty",
}
