"""Classifiers: one score a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fqbench.spec.preprocessing import Crop
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.recognition import (
    ULTRALYTICS,
    Guess,
    Recognition,
    Seen,
    are_probabilities,
    decidedness,
    noted_classes,
)
from fqbench.tasks.record import Answers, Outputs, Size
from fqbench.vision.normalization import IMAGENET, PIXELS, SYMMETRIC, UNIT, usual

USUAL_SIZE = (224, 224)
IMAGENET_CLASSES = (1000, 1001)
PART_CUT = 0.875
"""Of the short side, 224 of 256 pixels, as most evaluations on ImageNet cut it."""


def _guesses(seen: Seen) -> Iterator[Guess]:
    if seen.exported_task not in (None, "classify") or len(seen.shapes) != 1:
        return
    shape = seen.shapes[0]
    classes = max(shape, default=0)
    if len(shape) < 2 or shape[0] != 1 or classes < 2 or int(np.prod(shape)) != classes:
        return
    crop = _crop(seen.size if seen.fixed else USUAL_SIZE)
    if seen.exported_task is not None:
        named = f"the file says task {seen.exported_task!r}"
        cut = crop.model_copy(update={"short_side": min(crop.size)})
        yield Guess(Logits(kind="logits"), "sure", named, (usual(cut, UNIT),), ULTRALYTICS)
        return
    scores = np.concatenate([outputs[0].reshape(1, -1) for outputs in seen.outputs])
    found = f"one output of {classes} numbers"
    if classes in IMAGENET_CLASSES or noted_classes(seen.metadata) == classes:
        told = "as many as ImageNet has classes" if classes in IMAGENET_CLASSES else "each named"
        sureness, why = "likely", f"{found}, {told}"
    elif are_probabilities(scores):
        sureness, why = "likely", f"{found} that add up to 1"
    else:
        sureness, why = "guess", f"{found}, which may also be an embedding"
    ways = tuple(usual(crop, each) for each in (IMAGENET, SYMMETRIC, UNIT, PIXELS))
    yield Guess(Logits(kind="logits"), "likely" if sureness == "likely" else "guess", why, ways)


def _crop(size: Size) -> Crop:
    return Crop(kind="crop", size=size, short_side=round(min(size) / PART_CUT))


def _confidence(outputs: Sequence[Outputs], answers: Answers) -> float:
    return decidedness(np.concatenate([each[0].reshape(1, -1) for each in outputs]))


RECOGNITION = Recognition(lambda seen: tuple(_guesses(seen)), _confidence)
