"""Networks that give each place a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fqbench.spec.preprocessing import Stretch
from fqbench.tasks.recognition import Guess, Recognition, Seen, are_probabilities, decidedness
from fqbench.tasks.record import Answers, Outputs
from fqbench.tasks.segmentation.decode import Semantic
from fqbench.tasks.shapes import is_grid, of_places
from fqbench.vision.normalization import IMAGENET, SYMMETRIC, UNIT, usual

WHOLE = 1.0
"""Pixels of the input a place: maps as large as the image."""

DATA_SETS = {19: "Cityscapes", 21: "Pascal VOC", 150: "ADE20K", 171: "COCO-Stuff"}
"""By how many classes they have."""

USUAL_SIZE = (512, 512)

SAMPLED = 997
"""Every so many places of a map are looked at, of no period that a picture has."""


def _guesses(seen: Seen) -> Iterator[Guess]:
    if seen.exported_task is not None or len(seen.shapes) != 1:
        return
    output, shape = seen.outputs[0][0], seen.shapes[0]
    resize = Stretch(kind="stretch", size=seen.size if seen.fixed else USUAL_SIZE)
    ways = tuple(usual(resize, each) for each in (IMAGENET, SYMMETRIC, UNIT))
    decode = Semantic(kind="semantic")
    if len(shape) in (3, 4) and shape[0] == 1 and (len(shape) == 3 or shape[1] == 1):
        whole = np.issubdtype(output.dtype, np.integer)
        if whole and is_grid(seen.size, shape[-2:]):
            yield Guess(decode, "likely", "a whole number for each place", ways)
        return
    if not of_places(seen.size, seen.shapes):
        return
    classes, stride = shape[1], seen.size[0] / shape[2]
    why = f"{classes} maps, a place every {stride:g} pixels"
    if classes in DATA_SETS:
        why += f", as many as {DATA_SETS[classes]} has classes"
    signs = (stride == WHOLE, classes in DATA_SETS, are_probabilities(output, axis=1))
    yield Guess(decode, "likely" if any(signs) else "guess", why, ways)


def _confidence(outputs: Sequence[Outputs], answers: Answers) -> float:
    """Of places all over the images; maps of classes say nothing of it."""
    maps = [each[0] for each in outputs]
    if maps[0].ndim != 4 or maps[0].shape[1] == 1:
        return 0.0
    places = [each.reshape(each.shape[1], -1)[:, ::SAMPLED].T for each in maps]
    return decidedness(np.concatenate(places))


RECOGNITION = Recognition(lambda seen: tuple(_guesses(seen)), _confidence)
