"""Images a second by all cores."""

from __future__ import annotations

from pydantic import TypeAdapter

from fqbench.backends import backend
from fqbench.errors import FqbenchError
from fqbench.hardware import usable_cores
from fqbench.measure import throughput
from fqbench.measure.launches import Process
from fqbench.measure.measures import NotMeasured
from fqbench.measure.messages import CellMeasurement
from fqbench.measure.throughput import Throughput, Trial, WayTiming
from fqbench.pipeline.measurements.sides import (
    Asked,
    Measured,
    Sides,
    failed,
    ratio,
    record_sides,
)
from fqbench.pipeline.timing import Report, Subject, measured
from fqbench.steps import Finished

_TRIALS: TypeAdapter[tuple[Trial, ...]] = TypeAdapter(tuple[Trial, ...])


def take(asked: Asked, finished: Finished, report: Report) -> Measured:
    """The ``Throughput`` of each cell: its ways are tried, then the fastest of each timed."""
    sides, cores = Sides.of(asked, finished), usable_cores()
    trials, lacking = _tried(sides, cores, finished, report)
    ways = {key: throughput.fastest(tried) for key, tried in trials.items()}
    recorded = record_sides(
        "throughput",
        [process(key, sides.subjects[key], finished, way) for key, way in ways.items()],
        asked.effort.budget,
        report,
    )
    times = recorded.times

    def figure(key: str, first: str | None) -> Throughput:
        return Throughput(
            throughput.images_per_s(times[key], sides.subjects[key].batch),
            ratio(times, first, key),
            trials[key][ways[key]].label,
            len(times[key]),
        )

    return sides.figures(times, {**lacking, **failed(recorded.failures)}, figure)


def _tried(
    sides: Sides, cores: int, finished: Finished, report: Report
) -> tuple[dict[str, tuple[Trial, ...]], dict[str, NotMeasured]]:
    """How fast each way to run a side at full load is; and why a side has none."""
    trials: dict[str, tuple[Trial, ...]] = {}
    lacking: dict[str, NotMeasured] = {}
    for done, (key, subject) in enumerate(sides.subjects.items()):
        known = backend(subject.cell.backend)
        report("trying ways", done, len(sides.subjects))
        if known.throughput is None:
            why = f"{known.label} does not say how it runs at full load"
            lacking[key] = NotMeasured(why, failed=False)
            continue
        try:
            trials[key] = measured(
                "fqbench.measure.throughput:try_ways",
                CellMeasurement(
                    cell=subject.loadable(finished), image=subject.image, threads=cores
                ),
                _TRIALS,
                subject,
                cores,
                report,
            )
        except FqbenchError as error:
            lacking[key] = NotMeasured(str(error), failed=True)
    return trials, lacking


def process(key: str, subject: Subject, finished: Finished, way: int | None = None) -> Process:
    """What times a cell, which it calls ``key``, at full load, in a ``way`` or the fastest one."""
    timing = WayTiming(
        cell=subject.loadable(finished),
        image=subject.image,
        threads=usable_cores(),
        way=way,
        side=key,
    )
    return Process(
        name=f"timing {subject.cell.id} at full load",
        sides=(key,),
        function="fqbench.measure.throughput:time_way",
        arguments=timing.to_json(),
        threads=timing.threads,
        block=throughput.BLOCK,
        interpreter=subject.interpreter,
    )
