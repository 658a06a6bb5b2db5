"""Whether a drop of accuracy is within its margin, as far as its images show: pure functions."""

from __future__ import annotations

import math
from typing import Literal

from fqbench.measure.drop import magnitude, word
from fqbench.measure.stats import Interval

Standing = Literal["inside", "outside", "not known"]

MOST_IMAGES = 1_000_000
"""More than any data set here has: such a number would be no advice."""


def standing(drop: Interval, margin: float) -> Standing:
    """Where a drop is, in points: its whole interval within the margin or beyond, or neither.

    A margin bounds what is lost; a gain, which is a negative drop, is always within it.
    """
    if drop.high <= margin:
        return "inside"
    if drop.low > margin:
        return "outside"
    return "not known"


def images_needed(drop: Interval, margin: float, images: int) -> int | None:
    """About how many images would decide, where ``images`` (1 or more) do not; None for none.

    Were the drop to stay what it is, the end of its interval towards the margin would reach that
    when the interval is as narrow: its width falls with the square root of the images. Two digits.
    """
    end = drop.high if drop.value <= margin else drop.low
    reach, distance = abs(end - drop.value), abs(margin - drop.value)
    if reach > distance * math.sqrt(MOST_IMAGES / images):
        return None
    needed = images * (reach / distance) ** 2
    unit = int(10 ** max(math.floor(math.log10(needed)) - 1, 0))
    return max(math.ceil(needed / unit) * unit, images)


def sentence(drop: Interval, margin: float, images: int | None) -> str:
    """How a drop stands to its margin, and what would make it known where it is not."""
    size, gains = magnitude(drop), word(drop.value) == "gain"
    lost = (
        f"INT8 {'gains' if gains else 'loses'} {size.value:.2f} points (95 % interval"
        f" {size.low:.2f} to {size.high:.2f})"
    )
    found = standing(drop, margin)
    if found != "not known":
        return f"{lost}, {found} of its margin of {margin:g}"
    what = (
        "it may lose more than its margin of" if gains else "whether that is within its margin of"
    )
    text = f"{lost}; {what} {margin:g}{'' if gains else ' is not known'}"
    if images is None:
        return text
    needed = images_needed(drop, margin, images)
    if needed is None:
        return f"{text}: it is so near that no number of images would tell"
    same = f"were the {word(drop.value)} the same"
    return f"{text}: about {needed} images instead of {images} would tell, {same}"
