"""How long an evaluation takes an image, beside what its parts take by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from fqbench.backends import runtime
from fqbench.isolate import Report
from fqbench.measure.evaluation import Evaluation, share

IMAGES = 64
"""As many are evaluated: of the first ones, again and again where there are fewer."""

DIFFERENT = 8
"""Images that inference and decoding alone are timed with."""

ROUNDS = 5


def time_evaluation(arguments: dict[str, Any], report: Report) -> dict[str, list[float]]:
    """Seconds an image, once a round: ``evaluation`` as a run does it, and its parts alone.

    Those are ``reading`` (from file to tensor), ``inference`` and ``decoding``, each by as many
    threads as the evaluation gives it.
    """
    cores = share(arguments["cores"])
    evaluation = Evaluation.of(arguments, cores.workers)
    runner = runtime(arguments["backend"]).prepare(
        Path(arguments["artifact"]), precision=arguments["precision"], threads=cores.threads
    )
    listed = [(number, Path(path)) for number, path in arguments["samples"]]
    samples = [listed[number % len(listed)] for number in range(IMAGES)]
    feeds = [evaluation.read(sample) for sample in samples[:DIFFERENT]]
    outputs = [runner.run(feed.tensors) for feed in feeds]

    def inference() -> Iterator[object]:
        for number in range(IMAGES):
            yield runner.run(feeds[number % len(feeds)].tensors)

    def decoding() -> Iterator[object]:
        for number in range(IMAGES):
            index = number % len(feeds)
            yield evaluation.decode(outputs[index], feeds[index].geometry)

    parts: dict[str, Callable[[], Iterable[object]]] = {
        "evaluation": lambda: evaluation.answers(runner, samples),
        "reading": lambda: evaluation.feeds(samples),
        "inference": inference,
        "decoding": decoding,
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
    return found


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass
