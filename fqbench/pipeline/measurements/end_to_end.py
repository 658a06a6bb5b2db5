"""From an image's file to its answer."""

from __future__ import annotations

from fqbench.data.calibration import evenly_spaced
from fqbench.data.sample import Sample
from fqbench.measure import end_to_end, stats
from fqbench.measure.end_to_end import INFERENCE, PARTS, ApplicationTiming, EndToEnd
from fqbench.measure.launches import Process
from fqbench.measure.measures import NotMeasured, costs
from fqbench.pipeline.measurements.sides import (
    Asked,
    Measured,
    Sides,
    failed,
    in_ms,
    ratio,
    record_sides,
)
from fqbench.pipeline.timing import Report, Subject
from fqbench.steps import Finished


def take(asked: Asked, finished: Finished, report: Report) -> Measured:
    """The ``EndToEnd`` of each cell."""
    sides = Sides.of(asked, finished)
    lacking = {key: _several(each) for key, each in sides.subjects.items() if each.batch > 1}
    processes = [
        process(key, subject, asked.threads, finished)
        for key, subject in sides.subjects.items()
        if key not in lacking
    ]
    recorded = record_sides("end_to_end", processes, asked.effort.budget, report)
    values = {key: costs("end_to_end", times) for key, times in recorded.times.items()}
    parts = {
        name: {key: end_to_end.part(times, name) for key, times in recorded.times.items()}
        for name in PARTS
    }

    def figure(key: str, first: str | None) -> EndToEnd:
        return EndToEnd(
            in_ms(stats.median(values[key])),
            {name: 1e3 * stats.median(times[key]).value for name, times in parts.items()},
            ratio(values, first, key),
            ratio(parts[INFERENCE], first, key),
            len(_samples(sides.subjects[key])),
            len(values[key]),
        )

    return sides.figures(values, {**lacking, **failed(recorded.failures)}, figure)


def _several(subject: Subject) -> NotMeasured:
    return NotMeasured(
        "an application answers one image after another, and what was timed takes"
        f" {subject.batch} at once: leave out --batch",
        failed=False,
    )


def process(key: str, subject: Subject, threads: int, finished: Finished) -> Process:
    """What times a cell, which it calls ``key``, from file to answer."""
    samples, cell = _samples(subject), subject.loadable(finished)
    timing = ApplicationTiming(
        cell=cell.model_copy(update={"reading": cell.reading.of(samples)}),
        images=tuple(sample.path for sample in samples),
        decode=subject.graph.spec.decode,
        allow_code=subject.graph.allow_code,
        threads=threads,
        side=key,
    )
    return Process(
        name=f"timing {subject.cell.id} end to end",
        sides=(key,),
        function="fqbench.measure.end_to_end:time_application",
        arguments=timing.to_json(),
        threads=threads,
        interpreter=subject.interpreter,
    )


def _samples(subject: Subject) -> tuple[Sample, ...]:
    return evenly_spaced(subject.graph.images.data.samples, end_to_end.IMAGES)
