"""Timing in launches: new processes, bound to one core, that take turns.

The same model takes another time in another process (memory lies elsewhere), and on another core
(others use it too). So whatever is compared is timed several times from scratch, each time on
a randomly drawn core, its processes started in random order; that shows how far a figure would
differ the next time. Two processes of one model, on one core, were within 0.1 to 1.2 % of each
other from launch to launch; left to the scheduler, within 1.3 to 13 %.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, TypeAdapter

from fqbench import isolate
from fqbench.errors import FqbenchError
from fqbench.hardware import MEMORY_SHARE, memory_mb
from fqbench.isolate import Conversation, Interpreter, SharedMemory
from fqbench.jsonvalue import Json
from fqbench.measure import reference, stats
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.latency import Block, Clock, TimingBudget, take_turns
from fqbench.measure.messages import CellTiming, KernelTiming, Question, TimeBlock, WarmUp
from fqbench.measure.pinning import some_cores
from fqbench.measure.stats import Launches
from fqbench.message import read_answer

NARROW = 0.01
"""Half the width of an interval, as a part of its value, at which it is narrow enough."""

Stopped = Literal["narrow", "time"]

ANSWER_S = 300.0

_Answer = TypeVar("_Answer")

_BOUND: TypeAdapter[bool] = TypeAdapter(bool)
_RUNS: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(gt=0)])
_TIMES: TypeAdapter[Block] = TypeAdapter(Block)


@dataclass(frozen=True)
class Process:
    """How a process that times ``sides`` is started; ``name`` is what messages call it.

    ``function`` is one of ``fqbench.measure.stopwatch``, or works as they do: it is called with
    ``arguments`` and the ``cores`` to bind itself to. ``block``: seconds of its blocks, where they
    are not to be as long as those of others. ``arguments`` are JSON that is passed on as it is: the
    process may be another version's.
    """

    name: str
    sides: tuple[str, ...]
    function: str
    arguments: Mapping[str, Json]
    threads: int = 1
    block: float | None = None
    interpreter: Interpreter = field(default_factory=Interpreter.here)


def cell_process(
    name: str, side: str, cell: Loadable, image: Path, threads: int, interpreter: Interpreter
) -> Process:
    """What times ``cell`` on ``image`` in ``interpreter`` and calls it ``side``."""
    return Process(
        name=f"timing {name}",
        sides=(side,),
        function="fqbench.measure.stopwatch:time_cell",
        arguments=CellTiming(cell=cell, image=image, threads=threads, side=side).to_json(),
        threads=threads,
        interpreter=interpreter,
    )


@dataclass(frozen=True)
class MeasurementBudget:
    """How many launches, and how much in each. ``longest``: seconds in all.

    Measuring ends when what is measured is known narrowly enough, or when the time is used up
    and ``fewest`` launches are done.
    """

    fewest: int = 5
    most: int = 20
    longest: float = 30.0
    per_launch: TimingBudget = field(
        default_factory=lambda: TimingBudget(warm_up=0.1, rounds=20, fewest=2, longest=2.4)
    )


@dataclass(frozen=True)
class LaunchRecording:
    """Times of each side, launch by launch, and why measuring ended.

    ``failures``: the sides that could not be timed, each with its reason. ``pinned``: whether
    every process was bound to its core. ``seconds``: how long each launch took, starts included.
    """

    times: Mapping[str, Launches]
    stopped: Stopped
    pinned: bool
    seconds: tuple[float, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


class _FailedError(Exception):
    """A process that cannot be timed, and why."""

    def __init__(self, process: Process, reason: str) -> None:
        super().__init__(reason)
        self.process, self.reason = process, reason


@dataclass(frozen=True)
class _Remote:
    """A side in a process of its own."""

    process: Process
    name: str
    conversation: Conversation

    def warm_up(self, budget: TimingBudget) -> int:
        if self.process.block is not None:
            budget = replace(budget, block=self.process.block)
        return self._ask(WarmUp(side=self.name, warm_up=budget), _RUNS)

    def block(self, runs: int) -> Block:
        times = self._ask(TimeBlock(side=self.name, runs=runs), _TIMES)
        if not all(seconds > 0 for seconds in times):
            raise _FailedError(self.process, f"{self.process.name}: an inference took no time")
        return times

    def _ask(self, question: Question, kind: TypeAdapter[_Answer]) -> _Answer:
        with _attribute_failures(self.process):
            return read_answer(kind, self.conversation.ask(question.to_json()), self.process.name)


def record(
    processes: Sequence[Process],
    budget: MeasurementBudget,
    narrow: Callable[[Mapping[str, Launches]], bool],
    *,
    order: random.Random | None = None,
    clock: Clock = time.monotonic,
    on_launch: Callable[[int, int], None] = lambda done, most: None,
) -> LaunchRecording:
    """Time all sides of ``processes``, interleaved, launch by launch, until they are ``narrow``.

    The launch that a process fails in is repeated; one that fails again is left out from then on.
    """
    order = order or random.Random()
    running = list(processes)
    launches: list[dict[str, tuple[Block, ...]]] = []
    failures: dict[str, str] = {}
    failed_once: list[Process] = []
    stopped: Stopped = "time"
    pinned, start, seconds = True, clock(), []
    while running and len(launches) < budget.most:
        begin = clock()
        try:
            blocks, bound = _launch(running, budget.per_launch, order)
        except _FailedError as failed:
            if failed.process in failed_once:
                running.remove(failed.process)
                failures.update(dict.fromkeys(failed.process.sides, failed.reason))
            failed_once.append(failed.process)
            continue
        launches.append(blocks)
        pinned &= bound
        end = clock()
        seconds.append(end - begin)
        on_launch(len(launches), budget.most)
        if len(launches) < budget.fewest:
            continue
        if narrow(_by_side(launches, failures)):
            stopped = "narrow"
            break
        if 2 * end - begin > start + budget.longest:
            break
    return LaunchRecording(
        _by_side(launches, failures),
        stopped,
        pinned and bool(launches),
        tuple(seconds),
        failures,
    )


def _launch(
    processes: Sequence[Process], budget: TimingBudget, order: random.Random
) -> tuple[dict[str, tuple[Block, ...]], bool]:
    """Times of one launch by side, and whether its processes were bound to their cores."""
    cores = some_cores(max(process.threads for process in processes), order)
    sides, pinned = {}, True
    with ExitStack() as stack:
        conversations = []
        for process in order.sample(list(processes), len(processes)):
            with _attribute_failures(process):
                conversations.append((process, stack.enter_context(_started(process, cores))))
        for process, conversation in conversations:
            with _attribute_failures(process):
                pinned &= read_answer(_BOUND, conversation.ready(), process.name)
            sides.update({name: _Remote(process, name, conversation) for name in process.sides})
        timing = take_turns(sides, budget, order)
    return dict(timing.blocks), pinned


@contextmanager
def _attribute_failures(process: Process) -> Iterator[None]:
    """Attribute errors raised inside to ``process``."""
    try:
        yield
    except FqbenchError as error:
        raise _FailedError(process, str(error)) from error


def _started(process: Process, cores: Sequence[int]) -> AbstractContextManager[Conversation]:
    return isolate.converse(
        process.function,
        {**process.arguments, "cores": list(cores)},
        # Some libraries read their number of threads from the environment only.
        env={"OMP_NUM_THREADS": str(process.threads), "GLOG_minloglevel": "2"},
        timeout_s=ANSWER_S,
        memory=SharedMemory(int(MEMORY_SHARE * memory_mb())),
        name=process.name,
        interpreter=process.interpreter,
    )


def _by_side(
    launches: Sequence[Mapping[str, tuple[Block, ...]]], failures: Mapping[str, str]
) -> dict[str, Launches]:
    """Times of the sides that are in every launch."""
    if not launches:
        return {}
    return {
        side: tuple(launch[side] for launch in launches)
        for side in launches[0]
        if side not in failures
    }


def kernels(threads: int) -> Process:
    """The process of the reference kernels, each of which is a side."""
    return Process(
        name="timing the reference kernels",
        sides=reference.KERNELS,
        function="fqbench.measure.stopwatch:time_reference",
        arguments=KernelTiming(threads=threads).to_json(),
        threads=threads,
        block=reference.BLOCK,
    )


def format_counts(counts: Sequence[int]) -> str:
    """Numbers of launches as text: ``5``, or ``5 to 11``."""
    least, most = min(counts), max(counts)
    return f"{least}" if least == most else f"{least} to {most}"


def narrow(sides: Sequence[Launches], width: float = NARROW) -> bool:
    """Whether what ``sides`` are compared by is known to within ``width``, a part of it.

    That is the ratio of each side to the first, or a single side's median.
    """
    if len(sides) == 1:
        found = [stats.latency(sides[0]).p50]
    else:
        found = [stats.ratio(sides[0], side) for side in sides[1:]]
    return all(each.high - each.low <= 2 * width * each.value for each in found)
