"""Mean average precision as a metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import Answers, Metric, Weights

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

LOSS = 0.3
"""Part of the accuracy that a relative squared error of one costs, for small errors. Measured on
YOLOX-nano with more and more layers in float (an error of 0.24, 0.10, 0.08, 0.04 cost 0.05, 0.03,
0.02, 0.01 of the mAP); YOLOv5s costs less."""


def _points(data: EvaluationSet, answers: Answers) -> float:
    from fqbench.tasks.detection.average_precision import coco_map

    return coco_map(data, answers)


def _weighted(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    from fqbench.tasks.detection.average_precision import weighted_map

    return weighted_map(data, answers, np.concatenate([*weights]))


MAP = Metric(
    name="mAP",
    label="mAP",
    unit="mAP",
    digits=1,
    meaning="COCO's, IoU 0.50 to 0.95",
    typical=50.0,
    loss=LOSS,
    points=_points,
    weighted=_weighted,
)
