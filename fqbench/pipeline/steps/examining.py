"""The step that looks at what INT8 changes, image by image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.errors import UsageError
from fqbench.isolate import Report
from fqbench.spec import Dataset, Folder
from fqbench.steps import Job
from fqbench.steps.reading import write_json
from fqbench.vision.image import read_image

if TYPE_CHECKING:
    from fqbench.examine.record import PartedImage
    from fqbench.tasks.record import Task

FILE = "examined.json"


class Examine(Job):
    """``fp32`` and ``int8``: folders that hold the answers of two cells of a ``task``, each in its
    own of the folders ``sides``.

    ``dataset``, ``truth`` and ``labels`` as of the step ``score``; ``images``: the file of each
    image, which may be gone by now.
    """

    fp32: Path
    int8: Path
    sides: tuple[str, str]
    task: str
    dataset: Dataset
    truth: tuple[Path, ...]
    labels: tuple[tuple[int, int | None], ...]
    images: tuple[Path, ...]


def examine(job: Examine, report: Report) -> None:
    """Write ``examined.json``: what INT8 changes, and the images where it is worst."""
    from fqbench.data import open_dataset
    from fqbench.examine import parting
    from fqbench.examine.record import MOST, Examined
    from fqbench.measure.accuracy import answers_of
    from fqbench.measure.prediction import read_predictions
    from fqbench.tasks.registry import tasks

    data, task = open_dataset(job.dataset), tasks()[job.task]
    folders = [folder / side for folder, side in zip((job.fp32, job.int8), job.sides, strict=True)]
    fp32, int8 = (answers_of(task, data, read_predictions(folder)) for folder in folders)
    labels = None if isinstance(job.dataset, Folder) else data
    compared = task.examination.compare(labels, fp32, int8)
    worst = []
    places = parting.parted(compared)[:MOST].tolist()
    for done, place in enumerate(places, start=1):
        path, answers = job.images[place], (fp32[place], int8[place])
        found = parting.image(task.examination, compared, path.name, place, answers)
        worst.append(_with_picture(found, path, answers, task))
        report(done, len(places))
    changes = parting.changes(task.examination, compared, data.samples)
    write_json(job.folder, FILE, Examined(changes, tuple(worst)).to_json())


def _with_picture(
    found: PartedImage, path: Path, answers: tuple[Any, Any], task: Task
) -> PartedImage:
    """``found`` with both answers drawn; with the reason where the file cannot be read any more."""
    from fqbench.examine.parting import plain
    from fqbench.examine.pictures import picture

    try:
        image = read_image(path)
    except UsageError as error:
        return replace(found, unreadable=plain(str(error)))
    return replace(found, picture=picture(image, *answers, task.draw))
