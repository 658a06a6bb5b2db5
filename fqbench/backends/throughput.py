"""How a backend runs as many inferences a second as it can, by all cores of the machine.

Its record names a function, a ``FindWays``, that returns the ways worth trying: how cores are
divided between inferences that run side by side. Which one is fastest is measured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fqbench.backends.base import Runner, Tensor
from fqbench.counting import counted

MEDIUM = 4
"""Threads of a caller, on machines of twice as many cores, between one and all of them."""


class Crew(Protocol):
    """A model ready to run several inferences side by side: ``width`` of them."""

    @property
    def width(self) -> int:
        """How many run at once."""
        ...

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """Run ``count`` inferences, each on ``inputs``; it returns when all are done."""
        ...


@dataclass(frozen=True)
class Way:
    """One way to run several inferences at once: ``label`` in reports, and what loads the model."""

    label: str
    load: Callable[[], Crew]


class FindWays(Protocol):
    """What a record's ``throughput`` names."""

    def __call__(self, folder: Path, *, device: str, precision: str, cores: int) -> Sequence[Way]:
        """The ways to try for the artifact in ``folder``, by ``cores`` cores; one at least.

        What they ``load`` is native code: that is called in a child process.
        """
        ...


def divisions(cores: int) -> tuple[tuple[int, int], ...]:
    """How ``cores`` (1 or more) may be divided: pairs of callers and of threads for each.

    One caller with all threads, callers of one thread, and between both where there are enough.
    """
    most = [1, cores] if cores < 2 * MEDIUM else [1, cores // MEDIUM, cores]
    return tuple((callers, cores // callers) for callers in dict.fromkeys(most))


def described(callers: int, threads: int) -> str:
    """A division of cores as reports have it."""
    if callers == 1:
        return f"one inference at a time in {counted(threads, 'thread')}"
    return f"{callers} inferences at once in {counted(threads, 'thread')} each"


class Callers:
    """Threads that run inferences side by side, each with what it made itself to run them."""

    def __init__(self, makers: Sequence[Callable[[], Runner]]) -> None:
        # A pool for each: some runtimes run a model in the thread only that loaded it.
        self._pools = [ThreadPoolExecutor(1) for _ in makers]
        made = [pool.submit(make) for pool, make in zip(self._pools, makers, strict=True)]
        self._runners = [each.result() for each in made]

    @property
    def width(self) -> int:
        """See ``Crew.width``."""
        return len(self._pools)

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """See ``Crew.run``. Who is free takes the next one."""
        left, lock = iter(range(count)), threading.Lock()
        work = [
            pool.submit(_work, runner, inputs, left, lock)
            for pool, runner in zip(self._pools, self._runners, strict=True)
        ]
        for each in work:
            each.result()


def _work(
    runner: Runner, inputs: Sequence[Tensor], left: Iterator[int], lock: threading.Lock
) -> None:
    while True:
        with lock:
            if next(left, None) is None:
                return
        runner.run(inputs)
