"""Steps that run cells over images, and score what they answer."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fqbench.backends import Runner
from fqbench.isolate import Report
from fqbench.measure.agreement import agreement
from fqbench.measure.cell_loading import Loadable, Reading
from fqbench.pipeline.steps.unordered import unordered_folders
from fqbench.precisions.own import FP32
from fqbench.spec import Dataset, Decode
from fqbench.steps import Job
from fqbench.steps.reading import write_json

SIDES = ("fp32", "int8")
"""Folders of the step ``agree`` that hold answers."""


class Predict(Job):
    """``artifact``, ``backend``, ``device``, ``precision``: what runs, and how.

    ``images`` and their ``ids``, in the order of the data set. ``code``: the file of a decoder of
    the user's own, whose answers change with it; ``allow_code``: whether it may run.
    """

    artifact: Path
    backend: str
    device: str
    precision: str
    reading: Reading
    decode: Decode
    code: tuple[Path, ...]
    allow_code: bool
    images: tuple[Path, ...]
    ids: tuple[int, ...]
    cores: int

    @property
    def loadable(self) -> Loadable:
        """What is evaluated."""
        return Loadable(
            artifact=self.artifact,
            backend=self.backend,
            device=self.device,
            precision=self.precision,
            reading=self.reading,
        )


def predict(job: Predict, report: Report) -> None:
    """Run a cell over images; write its predictions and ``facts.json``."""
    from fqbench.measure.evaluation import Evaluation, reported, share
    from fqbench.measure.prediction import write_predictions

    shared = share(job.backend, job.device, job.cores)
    evaluation = Evaluation.of(job.reading, job.decode, shared.workers, allow_code=job.allow_code)
    runners = [job.loadable.load(shared.threads) for _ in range(shared.runners)]
    images = job.reading.with_boxes(job.images)
    named = ((number, *image) for number, image in zip(job.ids, images, strict=True))
    found = evaluation.answers(runners, named)
    write_predictions(job.folder, reported(found, len(job.images), report))
    facts = {"int8_convolutions": runners[0].int8_convolutions(), "images": len(job.images)}
    write_json(job.folder, "facts.json", facts)


class Agree(Job):
    """``fp32`` and ``int8``: folders of what ``backend`` runs on ``device``, as a cell of
    ``precision`` and one of FP32, each fed as it reads ``images``.

    ``decode``: None where answers are not kept; ``code``, ``allow_code`` and ``ids`` as of
    ``predict``.
    """

    fp32: Path
    int8: Path
    backend: str
    device: str
    precision: str
    reading: Reading
    int8_reading: Reading
    decode: Decode | None
    code: tuple[Path, ...]
    allow_code: bool
    images: tuple[Path, ...]
    ids: tuple[int, ...]
    cores: int

    def load(self, fp32: Path, int8: Path) -> list[Runner]:
        """What runs FP32 and the other cell, of these folders."""
        sides = (
            (fp32, FP32.runtime_name, self.reading),
            (int8, self.precision, self.int8_reading),
        )
        return [
            Loadable(
                artifact=artifact,
                backend=self.backend,
                device=self.device,
                precision=precision,
                reading=reading,
            ).load(self.cores)
            for artifact, precision, reading in sides
        ]


def agree(job: Agree, report: Report) -> None:
    """Compare the outputs of two cells on the images; write ``agreement.json``.

    Of models whose rows are put in order at their end, as they are before that. Where answers are
    kept, those of both are written, too, into the folders ``SIDES``.
    """
    with TemporaryDirectory() as scratch:
        _compare(job, unordered_folders(job.fp32, job.int8, Path(scratch)), report)


def _compare(job: Agree, judged: tuple[Path, Path], report: Report) -> None:
    """``judged``: the folders of what is compared, which may end before outputs are answers."""
    from fqbench.measure.prediction import Prediction, PredictionFile
    from fqbench.tasks.decoding import decoder

    runners, decode, found = job.load(*judged), None, list[float]()
    answering = runners
    if job.decode is not None:
        size = job.reading.preprocess.resize.output
        decode = decoder(job.decode, size, allow_code=job.allow_code)
        if judged != (job.fp32, job.int8):
            answering = job.load(job.fp32, job.int8)
    with ExitStack() as stack:
        folders = [job.folder / side for side in SIDES if decode is not None]
        files = [stack.enter_context(PredictionFile(folder)) for folder in folders]
        for number, path in zip(job.ids, job.images, strict=True):
            first = job.reading.placed(path)
            same = job.int8_reading == job.reading
            read = (first, first if same else job.int8_reading.placed(path))
            outputs = [r.run(fed) for r, (fed, _) in zip(runners, read, strict=True)]
            found.append(agreement(*outputs))
            if decode is not None:
                if answering is not runners:
                    outputs = [r.run(fed) for r, (fed, _) in zip(answering, read, strict=True)]
                for file, each, (_, geometry) in zip(files, outputs, read, strict=True):
                    file.add(Prediction(number, decode(each, geometry)))
            report(len(found), len(job.images))
    facts = {
        "agreement": sum(found) / len(found),
        "int8_convolutions": [runner.int8_convolutions() for runner in answering],
    }
    write_json(job.folder, "agreement.json", facts)


class Score(Job):
    """``predictions``: the folder of answers of a ``task``; ``dataset``: what they are compared
    with.

    ``truth``: the file that says what is in the images, where there is one; ``labels``: id of each
    image, and its class where the data set has one.
    """

    predictions: Path
    task: str
    dataset: Dataset
    truth: tuple[Path, ...]
    labels: tuple[tuple[int, int | None], ...]


def score(job: Score, report: Report) -> None:
    """Write ``accuracy.json``: points on all images, then on resamples of them.

    ``further.json`` has the same of the task's further metrics, by their names.
    """
    from fqbench.data import open_dataset
    from fqbench.measure.accuracy import resampled
    from fqbench.measure.prediction import read_predictions
    from fqbench.tasks.registry import tasks

    data, predictions = open_dataset(job.dataset), read_predictions(job.predictions)
    task = tasks()[job.task]
    write_json(job.folder, "accuracy.json", resampled(task, data, predictions).tolist())
    others = [replace(task, metric=metric) for metric in task.further]
    further = {t.metric.name: resampled(t, data, predictions).tolist() for t in others}
    write_json(job.folder, "further.json", further)
