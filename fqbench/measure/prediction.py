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


class PredictionFile:
    """A file of predictions in ``folder`` while it is written, with no more than two numbers per
    image in memory. It is there once it is closed; what is left open leaves none.

    It has ``image_ids`` and the array of the answers' format, such as ``classes`` [images]. Where
    an answer may have any number of rows, as detections have, the array holds those of all images
    one after the other, those of image i from ``ends[i - 1]`` to ``ends[i]``.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._spool = folder, folder / "answers.part"
        self._stream = self._spool.open("wb")
        self._image_ids: list[int] = []
        self._ends: list[int] = []
        self._kept: AnswerFormat | None = None

    def add(self, prediction: Prediction) -> None:
        """Keep one more. Raises StepError where it is of another format than those before."""
        found = format_of(prediction.answer)
        if self._kept not in (None, found):
            raise StepError(
                f"the decoder gave {_both(found, self._kept)} for others, up to image"
                f" {prediction.image_id}"
            )
        self._kept = found
        self._image_ids.append(prediction.image_id)
        self._stream.write(found.rows(prediction.answer).tobytes())
        self._ends.append(self._stream.tell() // found.dtype.itemsize)

    def close(self) -> None:
        """Write the file."""
        self._stream.close()
        # Where there are no answers, they are of any format.
        kept = self._kept or next(iter(answer_formats().values()))
        arrays: dict[str, NDArray[np.generic]] = {"image_ids": np.array(self._image_ids, np.int64)}
        # Copied in blocks; a file of no length cannot be mapped.
        filled = bool(self._ends and self._ends[-1])
        arrays[kept.array] = (
            np.memmap(self._spool, kept.dtype, "r") if filled else np.zeros(0, kept.dtype)
        )
        if kept.several:
            arrays["ends"] = np.array(self._ends, np.int64)
        np.savez(self._folder / FILE, **arrays)
        self._spool.unlink()

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self._stream.close()


def write_predictions(folder: Path, predictions: Iterable[Prediction]) -> None:
    """Write ``predictions`` as they come, in a ``PredictionFile``. Raises StepError as that."""
    with PredictionFile(folder) as file:
        for prediction in predictions:
            file.add(prediction)


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
