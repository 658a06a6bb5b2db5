"""What a quantized model loses, estimated on images without labels: by how far its answers are
from FP32's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.graph.executor import execute
from fqbench.methods.nncf.quantize import Run
from fqbench.tasks.decoding import decoder
from fqbench.tasks.record import DecoderSettings, Metric, Size
from fqbench.tasks.registry import decoder_of, metrics
from fqbench.tune.estimators import AnswerErrorEstimator, Image

FULL = 100.0
"""Points of FP32: it is what others are compared with."""

Outputs = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Validation:
    """Points of a model on ``images``: those of FP32 less what its error costs.

    ``reference``: FP32's outputs for each image. ``answers``: how far answers are from FP32's; None
    where decoders compare none, or FP32 answers nothing: then outputs are compared.
    """

    images: tuple[Image, ...]
    reference: tuple[Outputs, ...]
    answers: AnswerErrorEstimator | None
    metric: Metric

    @staticmethod
    def of(
        model: onnx.ModelProto,
        images: Sequence[Image],
        settings: DecoderSettings,
        size: Size,
        metric: str,
    ) -> Validation:
        """Of what quantizes ``model``."""
        comparison, answers = decoder_of(settings).comparison, None
        if comparison is not None:
            decode = decoder(comparison.settings(settings), size)
            answers = AnswerErrorEstimator.of(model, images, decode, comparison)
        run = execute(model, [value.name for value in model.graph.output], fuse_pairs=False).run
        reference = tuple(list(run(feed)) for feed, _ in images)
        return Validation(tuple(images), reference, answers, metrics()[metric])

    def points(self, run: Run, numbers: Sequence[int]) -> tuple[float, list[float]]:
        """Points of what ``run`` computes, on the images of these numbers and on each of them."""
        found = [list(run(self.images[number][0])) for number in numbers]
        each = [self._error([n], [outputs]) for n, outputs in zip(numbers, found, strict=True)]
        return self._left(self._error(numbers, found)), [self._left(error) for error in each]

    def _left(self, error: float) -> float:
        return FULL - self.metric.points_lost(error)

    def _error(self, numbers: Sequence[int], found: Sequence[Outputs]) -> float:
        """Relative squared error of raw outputs, or the one that costs as much as what differs."""
        if self.answers is None:
            return _share_of_spread(self.reference, [self.reference[n] for n in numbers], found)
        decode, wanted = self.answers.decode, [self.answers.reference[n] for n in numbers]
        pairs = zip(numbers, found, strict=True)
        return self.answers.comparison.error(
            wanted, [decode(list(outputs), self.images[n][1]) for n, outputs in pairs]
        )


def _share_of_spread(
    reference: Sequence[Outputs], wanted: Sequence[Outputs], found: Sequence[Outputs]
) -> float:
    """Squared difference of ``found`` from ``wanted``, some of ``reference``, over its deviation.

    As ``fqbench.tune.error.relative_error``, but the deviation is that of all of ``reference``, in
    proportion to how many there are: one image has none. The mean over the outputs.
    """
    errors = []
    columns = (zip(*outputs, strict=True) for outputs in (reference, wanted, found))
    for every, some, other in zip(*columns, strict=True):
        whole = np.concatenate(every)
        axes = (0, *range(2, whole.ndim))
        deviation = whole - whole.mean(axis=axes, keepdims=True)
        spread = float(np.square(deviation, dtype=np.float64).sum()) * len(some) / len(every)
        pairs = zip(some, other, strict=True)
        difference = sum(float(np.square(b - a, dtype=np.float64).sum()) for a, b in pairs)
        if spread > 0.0:
            errors.append(difference / spread)
    return float(np.mean(errors)) if errors else 0.0
