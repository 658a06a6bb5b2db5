"""Where INT8's answers part from FP32's: which images, the worst first. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.data import Sample
from fqbench.examine.record import Changes, PartedImage
from fqbench.tasks.examination import Comparison, Examination

ALIKE = 0.95
"""Answers of one image that have this much in common do not part: rounding moves every score."""

LONGEST = 120
"""Characters of a name or an answer that are kept."""


def parted(comparison: Comparison) -> NDArray[np.intp]:
    """Places of the images that part, the worst first.

    That is where INT8 loses most by the labels; of equal losses, and without labels, where both
    answers have the least in common.
    """
    losses = _losses(comparison)
    order = np.lexsort((comparison.alike, -losses))
    apart = (losses != 0.0) | (comparison.alike < ALIKE)
    return np.asarray(order[apart[order]], np.intp)


def changes(examination: Examination, compared: Comparison, samples: Sequence[Sample]) -> Changes:
    """What INT8 changes over all images."""
    losses, labelled = _losses(compared), compared.fp32 is not None
    shift = compared.shift
    return Changes(
        images=len(samples),
        parted=len(parted(compared)),
        worse=int((losses > 0).sum()) if labelled else None,
        better=int((losses < 0).sum()) if labelled else None,
        measure=examination.measure,
        measured_at=compared.measured_at,
        unit=examination.unit,
        points=compared.points,
        shift=shift,
        shift_image=None if shift is None else plain(samples[shift.image].path.name),
    )


def image(
    examination: Examination, compared: Comparison, name: str, place: int, answers: tuple[Any, Any]
) -> PartedImage:
    """The image at ``place``; ``answers``: FP32's and INT8's."""
    scores = (compared.fp32, compared.int8)
    fp32, int8 = (None if side is None else float(side[place]) for side in scores)
    said = [plain(examination.says(answer)) for answer in answers]
    return PartedImage(plain(name), fp32, int8, float(compared.alike[place]), said[0], said[1])


def plain(text: str) -> str:
    """``text`` as any file can hold it, on one line and not too long: names are untrusted."""
    known = text.encode("utf-8", "replace").decode("utf-8")
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in known)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _losses(comparison: Comparison) -> NDArray[np.float64]:
    if comparison.fp32 is None or comparison.int8 is None:
        return np.zeros(len(comparison.alike))
    return np.asarray(comparison.fp32 - comparison.int8)
