"""Mean intersection over union as a metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.record import Answers, Metric, Weights

if TYPE_CHECKING:
    from fqbench.data import EvaluationSet

LOSS = 0.3
"""As measured on a detector, see ``fqbench.tasks.detection.metric``."""

Maps = NDArray[np.integer[Any]]


def overlaps(pairs: Iterable[tuple[Maps, Maps]], ignored: int = -1) -> NDArray[np.float64]:
    """Pixels [pairs, 2, classes] of each class in both maps of a pair, and in either of them.

    ``ignored``: a class of the first maps, whose pixels are left out. There are as many classes
    as the greatest says.
    """
    found = [_overlap(first, second, ignored) for first, second in pairs]
    classes = max((counts.shape[1] for counts in found), default=0)
    return np.array([np.pad(c, ((0, 0), (0, classes - c.shape[1]))) for c in found])


def mean_iou(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over classes of intersection over union, of counts [..., 2, classes] of many images.

    A class that is in neither map is left out. 0 where no class is left.
    """
    common, either = counts[..., 0, :], counts[..., 1, :]
    ratios = np.divide(common, either, out=np.zeros_like(either), where=either > 0)
    classes = (either > 0).sum(axis=-1)
    total = ratios.sum(axis=-1)
    return np.asarray(np.divide(total, classes, out=np.zeros_like(total), where=classes > 0))


def _overlap(first: Maps, second: Maps, ignored: int) -> NDArray[np.float64]:
    counted = first != ignored
    one, other = first[counted].astype(np.int64), second[counted].astype(np.int64)
    classes = 1 + max(int(one.max(initial=0)), int(other.max(initial=0)))
    confusion = np.bincount(one * classes + other, minlength=classes**2).reshape(classes, classes)
    common = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - common
    return np.asarray(np.stack([common, either]), np.float64)


def image_counts(data: EvaluationSet, answers: Answers) -> NDArray[np.float64]:
    """``overlaps`` of the data set's maps with ``answers``. Raises StepError where sizes differ."""
    from fqbench.tasks.segmentation.dataset import IGNORED, read_map

    def pairs() -> Iterator[tuple[Maps, Maps]]:
        for path, answer in zip(data.truth, answers, strict=True):
            truth = read_map(path)
            if truth.shape != answer.labels.shape:
                raise StepError(
                    f"{path} has {truth.shape[1]}x{truth.shape[0]} pixels, its image"
                    f" {answer.labels.shape[1]}x{answer.labels.shape[0]}"
                )
            yield truth, answer.labels

    return overlaps(pairs(), IGNORED)


def points(data: EvaluationSet, answers: Answers) -> float:
    """mIoU over the pixels of all images, in points."""
    return float(mean_iou(image_counts(data, answers).sum(axis=0)) * 100)


def weighted(
    data: EvaluationSet, answers: Answers, weights: Iterable[Weights]
) -> NDArray[np.float64]:
    """The same for each row of the blocks of weights."""
    counts = image_counts(data, answers)
    sums = (np.tensordot(block, counts, axes=1) for block in weights)
    return np.asarray(np.concatenate([mean_iou(total) for total in sums]) * 100)


MIOU = Metric(
    name="mIoU",
    label="mIoU",
    unit="mIoU",
    digits=2,
    meaning="the mean over classes of intersection over union",
    typical=70.0,
    loss=LOSS,
    points=points,
    weighted=weighted,
)
