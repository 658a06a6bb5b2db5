"""Average precision of keypoints as a metric."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.keypoints.oks import COCO_SIGMAS, sigmas
from fqbench.tasks.record import Answers, Metric, Weights

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

    from fqbench.data import EvaluationSet

LOSS = 0.3
"""As measured on a detector, see ``fqbench.tasks.detection.metric``."""

MOST = 20
"""Persons of an image that count, by score: COCO's own number."""


def matching(data: EvaluationSet, answers: Answers) -> tuple[COCOeval, list[int]]:
    """pycocotools' matching, and the id of the image of each sample."""
    from fqbench.tasks.detection.average_precision import matched
    from fqbench.tasks.keypoints.dataset import PersonSet, persons

    truth = persons(data)
    objects = [entry for entries in truth.values() for entry in entries]
    if not objects:
        raise StepError(f"{data.annotations}: the images hold no keypoints")
    of_person = {entry["id"]: entry["image_id"] for entry in objects}
    ids = [
        of_person[s.image_id] if isinstance(data, PersonSet) else s.image_id for s in data.samples
    ]
    count = len(objects[0]["keypoints"]) // 3
    found = [entry for pair in zip(ids, answers, strict=True) for entry in _entries(*pair, count)]
    own = None if count == len(COCO_SIGMAS) else sigmas(count)
    return matched(objects, found, "keypoints", MOST, own), ids  # type: ignore[arg-type]


def _entries(image_id: int, answer: Any, count: int) -> Iterable[dict[str, Any]]:
    """The persons of an image as COCO's results."""
    for points, score in zip(answer.keypoints.astype(float), answer.scores.tolist(), strict=True):
        if len(points) != count:
            raise StepError(
                f"the model finds {len(points)} keypoints of a person, the annotations have {count}"
            )
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        yield {
            "image_id": image_id,
            "category_id": 1,
            "keypoints": points.ravel().tolist(),
            "bbox": [*low.tolist(), *(high - low).tolist()],
            "score": score,
        }


def points(data: EvaluationSet, answers: Answers) -> float:
    """AP at OKS 0.50 to 0.95, all sizes, in points."""
    from fqbench.tasks.detection.average_precision import mean_precision

    return mean_precision([matching(data, answers)[0]])


def weighted(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    """The same for each row of the blocks of weights; samples of one image have the same."""
    from fqbench.tasks.detection.average_precision import weighted_precision

    evaluation, ids = matching(data, answers)
    images, first = np.unique(ids, return_index=True)
    of_images = np.concatenate([block[:, first] for block in weights])
    return weighted_precision([evaluation], images.tolist(), of_images)


OKS_AP = Metric(
    name="OKS_AP",
    label="OKS AP",
    unit="AP",
    digits=1,
    meaning="COCO's of keypoints, OKS 0.50 to 0.95",
    typical=60.0,
    loss=LOSS,
    points=points,
    weighted=weighted,
)
