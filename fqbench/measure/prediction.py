"""What a model answered for each image, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.vision.decode import Answer, Detections

FILE = "predictions.npz"

BOX = np.dtype([("corners", "<f4", 4), ("score", "<f4"), ("label", "<i8")])
"""One box on the disk: 28 bytes."""


@dataclass(frozen=True)
class Prediction:
    """The answer for the image with this id: detections, or a class."""

    image_id: int
    answer: Answer


def write_predictions(folder: Path, predictions: Iterable[Prediction]) -> None:
    """Write ``predictions`` as they come, with no more than two numbers an image in memory.

    The file has ``image_ids`` and, of classes, ``labels`` [images]; of detections the ``boxes``
    of all images one after the other, those of image i from ``ends[i - 1]`` to ``ends[i]``.
    Raises StepError where some answers are classes and others boxes.
    """
    image_ids: list[int] = []
    numbers: list[int] = []
    spool = folder / "boxes.part"
    boxes = 0
    with spool.open("wb") as stream:
        for prediction in predictions:
            image_ids.append(prediction.image_id)
            if isinstance(prediction.answer, Detections):
                stream.write(_packed(prediction.answer).tobytes())
                boxes += 1
                numbers.append(stream.tell() // BOX.itemsize)
            else:
                numbers.append(prediction.answer)
            if boxes not in (0, len(image_ids)):
                raise StepError(
                    f"the decoder gave a class for some images and boxes for others, up to image"
                    f" {prediction.image_id}"
                )
    found: dict[str, NDArray[np.generic]] = {"image_ids": np.array(image_ids, np.int64)}
    if boxes:
        # Copied in blocks; a file of no length cannot be mapped.
        found["boxes"] = np.memmap(spool, BOX, "r") if numbers[-1] else np.zeros(0, BOX)
    found["ends" if boxes else "labels"] = np.array(numbers, np.int64)
    np.savez(folder / FILE, **found)
    spool.unlink()


def read_predictions(folder: Path) -> tuple[Prediction, ...]:
    """Exactly what ``write_predictions`` was given, in its order."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        image_ids = file["image_ids"].tolist()
        if "labels" in file:
            return tuple(map(Prediction, image_ids, file["labels"].tolist()))
        ends, boxes = file["ends"].tolist(), file["boxes"]
    corners, scores, labels = (np.ascontiguousarray(boxes[name]) for name in BOX.names or ())
    parts = (slice(start, end) for start, end in pairwise([0, *ends]))
    answers = (Detections(corners[part], scores[part], labels[part]) for part in parts)
    return tuple(map(Prediction, image_ids, answers))


def _packed(found: Detections) -> NDArray[np.void]:
    rows = np.empty(len(found.scores), BOX)
    rows["corners"], rows["score"], rows["label"] = found.boxes, found.scores, found.labels
    return rows
