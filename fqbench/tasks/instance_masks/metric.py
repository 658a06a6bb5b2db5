"""Mean average precision of masks as a metric."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.instance_masks.answers import Instances
from fqbench.tasks.record import Answers, Metric, Weights

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

    from fqbench.data import EvaluationSet

LOSS = 0.3
"""As of boxes, see ``fqbench.tasks.detection.metric``."""


def matchings(data: EvaluationSet, answers: Answers) -> Iterator[COCOeval]:
    """pycocotools' matching of masks, one category with an object at a time."""
    from fqbench.tasks.detection.average_precision import matched

    known = len(data.category_ids)
    for answer in answers:
        unknown = answer.labels[(answer.labels < 0) | (answer.labels >= known)]
        if unknown.size:
            raise StepError(
                f"the model found class {int(unknown[0])}, the annotations have {known}"
                " categories, counted from 0"
            )
    truth = _objects(data)
    for label, category in enumerate(data.category_ids):
        if objects := truth.get(category):
            found = [
                entry
                for sample, answer in zip(data.samples, answers, strict=True)
                for entry in _entries(sample.image_id, answer, label, category)
            ]
            yield matched(objects, found, "segm")


def _entries(image_id: int, answer: Instances, label: int, category: int) -> Iterator[Any]:
    """The masks of class ``label`` as COCO's results for ``category``."""
    from pycocotools import mask

    height, width = answer.image_size
    for index in np.flatnonzero(answer.labels == label):
        left, top, right, bottom = answer.boxes[index].tolist()
        yield {
            "image_id": image_id,
            "category_id": category,
            "bbox": [left, top, right - left, bottom - top],
            "score": float(answer.scores[index]),
            "segmentation": mask.frPyObjects(
                {"size": [height, width], "counts": answer.masks[index].tolist()}, height, width
            ),
        }


def _objects(data: EvaluationSet) -> dict[int, list[Any]]:
    """The annotations of the images by category, their outlines as run lengths."""
    assert data.annotations is not None
    content = json.loads(data.annotations.read_text(encoding="utf-8"))
    wanted = {sample.image_id for sample in data.samples}
    sizes = {i["id"]: (i.get("height"), i.get("width")) for i in content["images"]}
    found: dict[int, list[Any]] = {}
    for entry in content["annotations"]:
        if entry["image_id"] in wanted:
            try:
                mask = _run_lengths(entry.get("segmentation"), sizes[entry["image_id"]])
            except Exception as error:  # pycocotools raises almost anything for malformed outlines
                raise StepError(
                    f"{data.annotations}: the annotation {entry.get('id')} has no outline that can"
                    " be read"
                ) from error
            found.setdefault(entry["category_id"], []).append({**entry, "segmentation": mask})
    return found


def _run_lengths(outline: Any, size: tuple[Any, Any]) -> Any:
    """The mask of polygons, or of run lengths that are not compressed yet."""
    from pycocotools import mask

    if not outline:
        raise ValueError("no outline")
    if isinstance(outline, list):
        return mask.merge(mask.frPyObjects(outline, *size))
    if isinstance(outline["counts"], list):
        return mask.frPyObjects(outline, *size)
    return outline


def points(data: EvaluationSet, answers: Answers) -> float:
    """mAP of masks at IoU 0.50 to 0.95, in points."""
    from fqbench.tasks.detection.average_precision import mean_precision

    return mean_precision(matchings(data, answers))


def weighted(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    """The same for each row of the blocks of weights."""
    from fqbench.tasks.detection.average_precision import weighted_precision

    ids = [sample.image_id for sample in data.samples]
    return weighted_precision(matchings(data, answers), ids, np.concatenate([*weights]))


MASK_MAP = Metric(
    name="mask_mAP",
    label="mask mAP",
    unit="mAP",
    digits=1,
    meaning="COCO's of masks, IoU 0.50 to 0.95",
    typical=40.0,
    loss=LOSS,
    points=points,
    weighted=weighted,
)
