"""Steps that run cells over images, and score what they answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fqbench.isolate import Report
from fqbench.measure.agreement import agreement
from fqbench.measure.cell_loading import Loadable, Reading
from fqbench.precisions.own import FP32
from fqbench.spec import Dataset, Decode
from fqbench.steps import Job
from fqbench.steps.reading import GRAPH, load_graph, save_graph, write_json
from fqbench.vision.image import read_image


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
    ``precision`` and one of FP32, each fed as it reads ``images``."""

    fp32: Path
    int8: Path
    backend: str
    device: str
    precision: str
    reading: Reading
    int8_reading: Reading
    images: tuple[Path, ...]
    cores: int


def agree(job: Agree, report: Report) -> None:
    """Compare the outputs of two cells on the images; write ``agreement.json``.

    Of ONNX graphs whose rows are put in order at their end, as they are before that.
    """
    with TemporaryDirectory() as scratch:
        _compare(job, *unordered_folders(job.fp32, job.int8, Path(scratch)), report)


def unordered_folders(fp32: Path, int8: Path, scratch: Path) -> tuple[Path, Path]:
    """Folders of both models that end before their rows are put in order, in ``scratch``.

    The models' own where nothing is put in order, or one of them is no ONNX graph.
    """
    from fqbench.graph.ordering import ending_in, unordered

    if not all((folder / GRAPH).is_file() for folder in (fp32, int8)):
        return fp32, int8
    model, form = load_graph(fp32), load_graph(int8)
    judged = unordered(model)
    names = [value.name for value in judged.graph.output]
    written = {name for node in form.graph.node for name in node.output}
    if judged is model or not written.issuperset(names):
        return fp32, int8
    made = {"model": judged, "form": ending_in(form, names)}
    for name, graph in made.items():
        (scratch / name).mkdir()
        save_graph(graph, scratch / name)
    return scratch / "model", scratch / "form"


def _compare(job: Agree, fp32: Path, int8: Path, report: Report) -> None:
    cells = (
        Loadable(
            artifact=fp32,
            backend=job.backend,
            device=job.device,
            precision=FP32.runtime_name,
            reading=job.reading,
        ),
        Loadable(
            artifact=int8,
            backend=job.backend,
            device=job.device,
            precision=job.precision,
            reading=job.int8_reading,
        ),
    )
    runners = [cell.load(job.cores) for cell in cells]
    found = []
    for done, path in enumerate(job.images, start=1):
        image = read_image(path)
        outputs = [r.run(cell.feed(image)) for r, cell in zip(runners, cells, strict=True)]
        found.append(agreement(*outputs))
        report(done, len(job.images))
    facts = {
        "agreement": sum(found) / len(found),
        "int8_convolutions": [runner.int8_convolutions() for runner in runners],
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
