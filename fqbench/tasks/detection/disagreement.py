"""How far the detections of a quantized model are from FP32's, and a judge by them.

Raw outputs mislead where a decoder follows: most of a detector's places hold nothing, and what
rounding changes there changes no detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.quantize.observe import Feed
from fqbench.tune.error import LOSS
from fqbench.tune.judge import side_by_side
from fqbench.tune.variants import Executable, execute
from fqbench.vision.decode import Decoder, Detections
from fqbench.vision.geometry import Boxes, Geometry

SCORE = 0.05
"""Boxes up to this score are left out: they are many, and count for little."""

Image = tuple[Feed, Geometry]
"""An image as the model takes it, and where it came from."""


def disagreement(wanted: Sequence[Detections], found: Sequence[Detections]) -> float:
    """1 minus the part of all scores that both have: 0 alike, 1 nothing in common.

    What two boxes of a class have in common is their intersection over union times the lower
    score; each box has in common with the other side what it has with its best match there.
    """
    common = total = 0.0
    for one, other in zip(wanted, found, strict=True):
        total += float(one.scores.sum() + other.scores.sum())
        if len(one.scores) and len(other.scores):
            shared = _overlaps(one.boxes, other.boxes)
            shared *= np.minimum(one.scores[:, None], other.scores)
            shared *= one.labels[:, None] == other.labels
            common += float(shared.max(axis=0).sum() + shared.max(axis=1).sum())
    return 1.0 - common / total if total > 0.0 else 0.0


@dataclass(frozen=True)
class AnswersJudge:
    """Tells the error of a quantized detector: that of its detections against FP32's on images."""

    names: tuple[str, ...]
    images: tuple[Image, ...]
    decode: Decoder
    reference: tuple[Detections, ...]

    @staticmethod
    def of(model: onnx.ModelProto, images: Sequence[Image], decode: Decoder) -> AnswersJudge | None:
        """A judge of graphs that quantize ``model``; None where it detects nothing to tell by."""
        names = tuple(value.name for value in model.graph.output)
        judge = AnswersJudge(names, tuple(images), decode, ())
        fp32 = execute(model, names, fuse_pairs=False)
        reference = tuple(judge.answers(fp32, len(images)))
        if not any(len(detections.scores) for detections in reference):
            return None
        return AnswersJudge(names, judge.images, decode, reference)

    def error(self, executable: Executable, images: int | None = None) -> float:
        """The relative squared error of raw outputs that costs as much as what is changed here.

        Scores and boxes move both ways, so mAP falls by the square of the disagreement only: of
        YOLOX-nano disagreements of 0.14, 0.42 and 0.89 cost 0.03, 0.27 and 0.75 of the mAP.
        """
        count = len(self.images) if images is None else min(images, len(self.images))
        found = self.answers(executable, count)
        return disagreement(self.reference[:count], found) ** 2 / LOSS

    def answers(self, executable: Executable, images: int) -> list[Detections]:
        """The detections of ``executable`` in the first ``images``."""

        def answer(image: Image) -> Detections:
            feed, geometry = image
            found = self.decode(list(executable.run(feed)), geometry)
            assert isinstance(found, Detections)
            return found

        return side_by_side(executable, answer, self.images[:images])


def _overlaps(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each box with each."""
    a, b = one[:, None].astype(np.float64), other[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.clip(sides, 0.0, None).prod(axis=2)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=2) for box in (a, b)]
    union = areas[0] + areas[1] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0.0))
