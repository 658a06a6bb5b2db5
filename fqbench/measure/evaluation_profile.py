"""How long an evaluation takes per image, and how long its parts take by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

from fqbench.backends import Runner
from fqbench.backends.base import Tensor
from fqbench.data.ahead import ahead
from fqbench.hardware import usable_cores
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.evaluation import Evaluation, Feed, share
from fqbench.message import Message
from fqbench.spec import Decode

IMAGES = 64
"""As many are evaluated: the first ones, again and again where there are fewer."""

DIFFERENT = 8
"""Images that inference and decoding alone are timed with."""

ROUNDS = 5


class EvaluationMeasurement(Message):
    """A cell to be evaluated on ``images``; ``allow_code``: by a decoder of the user's own, too."""

    cell: Loadable
    images: tuple[Path, ...]
    decode: Decode
    allow_code: bool


@dataclass(frozen=True)
class EvaluationProfile:
    """Seconds per image, once per round: ``evaluation`` as a run does it, and its parts alone.

    ``reading`` is from file to tensor. Each part has as many threads as the evaluation gives it.
    """

    evaluation: tuple[float, ...]
    reading: tuple[float, ...]
    inference: tuple[float, ...]
    decoding: tuple[float, ...]


def time_evaluation(arguments: Mapping[str, Json], report: Report) -> dict[str, Json]:
    """The ``EvaluationProfile`` of ``arguments``, an ``EvaluationMeasurement``, as JSON."""
    asked = EvaluationMeasurement.model_validate(arguments)
    cell = asked.cell
    shared = share(cell.backend, cell.device, usable_cores())
    evaluation = Evaluation.of(
        cell.reading, asked.decode, shared.workers, allow_code=asked.allow_code
    )
    runners = [cell.load(shared.threads) for _ in range(shared.runners)]
    placed = cell.reading.with_boxes(asked.images)
    images = [(number, *image) for number, image in enumerate(placed)]
    samples = list(islice(cycle(images), IMAGES))
    feeds = [evaluation.read(sample) for sample in samples[:DIFFERENT]]
    outputs = [(feed, runners[0].run(feed.tensors)) for feed in feeds]

    def decode(output: tuple[Feed, list[Tensor]]) -> object:
        return evaluation.decode(output[1], output[0].geometry)

    parts: dict[str, Callable[[], Iterable[object]]] = {
        "evaluation": lambda: evaluation.answers(runners, samples),
        "reading": lambda: evaluation.feeds(samples),
        "inference": lambda: _inference(runners, feeds),
        "decoding": lambda: ahead(decode, islice(cycle(outputs), IMAGES), len(runners), IMAGES),
    }
    found: dict[str, list[float]] = {name: [] for name in parts}
    for part in parts.values():
        _exhaust(part())
    for done in range(ROUNDS):
        for name, part in parts.items():
            begin = time.perf_counter()
            _exhaust(part())
            found[name].append((time.perf_counter() - begin) / IMAGES)
        report(done + 1, ROUNDS)
    profile = EvaluationProfile(**{name: tuple(seconds) for name, seconds in found.items()})
    return asdict(profile)


def _inference(runners: list[Runner], feeds: list[Feed]) -> Iterable[object]:
    """The runners' own work, on ``IMAGES`` images: of several at the same time."""
    turns = list(islice(cycle(feeds), IMAGES))
    if len(runners) == 1:
        return (runners[0].run(feed.tensors) for feed in turns)

    def run(number: int) -> None:
        for feed in turns[number :: len(runners)]:
            runners[number].run(feed.tensors)

    return ahead(run, range(len(runners)), len(runners), len(runners))


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass
