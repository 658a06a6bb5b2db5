"""What a model answered for each image, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.tasks.record import AnswerFormat
from fqbench.tasks.registry import answer_formats, format_of

FILE = "predictions.npz"


@dataclass(frozen=True)
class Prediction:
    """The answer for the image with this id, of a type that a task has."""

    image_id: int
    answer: Any


def write_predictions(folder: Path, predictions: Iterable[Prediction]) -> None:
    """Write ``predictions`` as they come, with no more than two numbers per image in memory.

    The file has ``image_ids`` and the array of the answers' format, such as ``labels`` [images]
    of classes. Where an answer may have any number of rows, as detections have, the array holds
    those of all images one after the other, those of image i from ``ends[i - 1]`` to ``ends[i]``.
    Raises StepError where some answers are of one format and others of another.
    """
    image_ids: list[int] = []
    ends: list[int] = []
    spool = folder / "answers.part"
    kept: AnswerFormat | None = None
    with spool.open("wb") as stream:
        for prediction in predictions:
            found = format_of(prediction.answer)
            if kept not in (None, found):
                raise StepError(
                    f"the decoder gave {_both(found, kept)} for others, up to image"
                    f" {prediction.image_id}"
                )
            kept = found
            image_ids.append(prediction.image_id)
            stream.write(found.rows(prediction.answer).tobytes())
            ends.append(stream.tell() // found.dtype.itemsize)
    # Where there are no answers, they are of any format.
    kept = kept or next(iter(answer_formats().values()))
    arrays: dict[str, NDArray[np.generic]] = {"image_ids": np.array(image_ids, np.int64)}
    # Copied in blocks; a file of no length cannot be mapped.
    filled = bool(ends and ends[-1])
    arrays[kept.array] = np.memmap(spool, kept.dtype, "r") if filled else np.zeros(0, kept.dtype)
    if kept.several:
        arrays["ends"] = np.array(ends, np.int64)
    np.savez(folder / FILE, **arrays)
    spool.unlink()


def read_predictions(folder: Path) -> tuple[Prediction, ...]:
    """Exactly what ``write_predictions`` was given, in its order.

    Raises StepError where no task that is installed has such answers.
    """
    with np.load(folder / FILE, allow_pickle=False) as file:
        image_ids = file["image_ids"].tolist()
        found = next((f for f in answer_formats().values() if f.array in file), None)
        if found is None:
            raise StepError(
                f"{folder / FILE} holds {', '.join(file.files)}, answers of no task that is"
                " installed: install the package that it was made with"
            )
        ends = file["ends"].tolist() if found.several else range(1, len(image_ids) + 1)
        return tuple(map(Prediction, image_ids, found.answers(file[found.array], ends)))


def _both(one: AnswerFormat, other: AnswerFormat | None) -> str:
    """What the decoder gave for some images, and what else, in the order of the tasks."""
    first, second = (f.name for f in answer_formats().values() if f in (one, other))
    return f"{first} for some images and {second}"
