"""The step that teaches."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from fqbench.isolate import Report
from fqbench.spec import Decode
from fqbench.spec.quantization import Distillation
from fqbench.steps.child import write_seconds
from fqbench.steps.reading import ReadingJob, load_graph, save_graph, write_json


class Distill(ReadingJob):
    """``quantization``, ``choice``: folders of what the student starts from; ``images``: what it is
    trained with; ``scratch``: where the training is kept until it is done.
    """

    quantization: Path
    choice: Path
    backend: str
    decode: Decode
    metric: str
    distillation: Distillation
    scratch: Path


def distill(job: Distill, report: Report) -> str | None:
    """Teach the INT8 model; write its graph, record and history.

    Returns a warning where there is one.
    """
    from fqbench.methods.distillation.distill import DistillationTask
    from fqbench.methods.distillation.distill import distill as teach
    from fqbench.methods.distillation.schedule import is_held_out
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice
    from fqbench.tune.estimators import error_estimator

    teacher, count = load_graph(job.quantization), len(job.images)
    held = [
        job.reading.placed(*image)
        for number, image in enumerate(job.reading.with_boxes(job.images))
        if is_held_out(number, count)
    ]
    task = DistillationTask(
        job.backend,
        teacher,
        Quantization.read(job.quantization / "quantization.json"),
        Choice.read(job.choice / "choice.json"),
        job.distillation,
        job.metric,
        job.decode,
        error_estimator(job.decode, job.reading.preprocess.resize.output, teacher, held),
    )
    feeds = job.feeds(lambda done, total, told="", /: report(done, total, "ask the teacher"))
    taught = teach(task, feeds, count, job.scratch, report)
    taught.record.write(job.folder / "quantization.json")
    save_graph(taught.model, job.folder)
    write_json(job.folder, "history.json", asdict(taught.history))
    write_seconds(job.folder, taught.history.seconds)
    return taught.warning
