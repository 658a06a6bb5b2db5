"""The local executor: runs a graph of steps on this machine, side by side what may be.

1. What is in the store is not run, nor what a selection does not take.
2. Steps share the cores. What is timed is alone: a step that times in phases pauses those beside
   it, one that times throughout runs once the others cannot fill the cores.
3. A step that fails fails what depends on it, with the first cause. Everything else goes on.
4. Whatever is done is in the store, so that a run which was stopped goes on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fqbench import isolate
from fqbench.artifacts import Artifact, Store
from fqbench.data.digests import Digests
from fqbench.environments.interpreter import interpreter
from fqbench.errors import FqbenchError, MemoryExceeded
from fqbench.hardware import MEMORY_SHARE, core_ids, memory_mb
from fqbench.isolate import SharedMachine, SharedMemory
from fqbench.steps.durations import Durations
from fqbench.steps.finished import Failed, Finished, Result, Value
from fqbench.steps.key import job_inputs, key_inputs
from fqbench.steps.observer import Observer, Silent
from fqbench.steps.schedule import Schedule
from fqbench.steps.step import Measurement, Node, Step

Cores = tuple[int, ...]

_log = logging.getLogger(__name__)


class Executor(Protocol):
    """Runs graphs."""

    store: Store

    def run(
        self, wanted: Iterable[Node], on_result: Callable[[Finished], None] = lambda _: None
    ) -> Finished:
        """The results of ``wanted`` and of all that they need.

        ``on_result`` is called whenever a measurement is done, with everything finished so far.
        """
        ...


class LocalExecutor:
    """Runs steps in child processes of this machine; it knows the results of all its runs.

    ``cores``: those that steps may use, by default all that this process may.
    """

    def __init__(
        self, store: Store, observer: Observer | None = None, cores: Cores | None = None
    ) -> None:
        self.store = store
        self._observer = observer or Silent()
        self._cores = core_ids() if cores is None else cores
        self._digests, self._durations = Digests(store.root), Durations(store.root)
        self._results: dict[Node, Result] = {}

    @property
    def finished(self) -> Finished:
        """Everything that is finished so far."""
        return Finished(self._results)

    def run(
        self, wanted: Iterable[Node], on_result: Callable[[Finished], None] = lambda _: None
    ) -> Finished:
        """As ``Executor.run``. Where it is interrupted, its children are stopped first."""
        run = _Run(self._schedule(wanted), self._cores)
        try:
            while True:
                run.schedule.settle()
                self._plan(run.schedule)
                self._start(run)
                if run.running:
                    self._collect(run)
                elif (node := next(filter(run.is_alone, run.schedule.ready()), None)) is not None:
                    self._alone(run, node)
                    if isinstance(node, Measurement):
                        on_result(self.finished)
                else:
                    return self.finished
        except BaseException:
            run.stop.set()
            raise
        finally:
            run.pool.shutdown()
            self._durations.keep()

    def look(self, wanted: Iterable[Node]) -> list[Node]:
        """What a run would still have to do, at most; what the store has is finished then."""
        schedule = self._schedule(wanted)
        schedule.settle()
        return schedule.remaining()

    def expected(self, nodes: Iterable[Node]) -> float | None:
        """About how many seconds ``nodes`` take; None where one of them never ran here."""
        seconds = 0.0
        for node in nodes:
            took = self._durations.expected(node)
            if took is None:
                return None
            seconds += took if _is_alone(node) else took / len(self._cores)
        return seconds

    def _schedule(self, wanted: Iterable[Node]) -> Schedule:
        return Schedule(
            wanted,
            self._results,
            lambda step: key_inputs(step, self._artifact, self._digests.of),
            lambda step, inputs: self.store.find(step.name, inputs),
        )

    def _plan(self, schedule: Schedule) -> None:
        remaining = schedule.remaining()
        self._observer.planned(len(remaining), self.expected(remaining))

    def _start(self, run: _Run) -> None:
        """Start steps side by side, where the machine is not better left to one that is alone."""
        ready = run.schedule.ready()
        together = [n for n in ready if isinstance(n, Step) and not run.is_alone(n)]
        if not run.running and len(together) < len(ready) and len(together) < len(self._cores):
            return
        for number, step in enumerate(together):
            if step.needs.gpu and any(other.needs.gpu for other, _ in run.running.values()):
                continue
            cores = run.take(len(together) - number, step.needs.cores)
            if not cores:
                return
            self._begin(run, step)
            inputs = run.schedule.inputs(step)
            future = run.pool.submit(self._make, step, inputs, cores, run)
            run.running[future] = step, cores

    def _begin(self, run: _Run, node: Node) -> None:
        run.schedule.start(node)
        run.since[node] = time.monotonic()
        self._observer.started(node)

    def _collect(self, run: _Run) -> None:
        """Wait until a step is done, and see what became of it."""
        beside = len(run.running) > 1
        done, _ = wait(run.running, return_when=FIRST_COMPLETED)
        for future in done:
            step, cores = run.running.pop(future)
            run.free.extend(cores)
            self._end(run, step, future.result, beside=beside)

    def _alone(self, run: _Run, node: Node) -> None:
        """Run a node by itself, in this thread."""
        self._begin(run, node)
        if isinstance(node, Measurement):
            report = self._reporting(node)
            self._end(run, node, lambda: Value(node.take(self.finished, report)))
            return
        assert isinstance(node, Step)
        inputs, cores = run.schedule.inputs(node), self._cores
        self._end(run, node, lambda: self._make(node, inputs, cores, run))

    def _end(
        self, run: _Run, node: Node, result: Callable[[], Result], *, beside: bool = False
    ) -> None:
        found: Result
        try:
            found = result()
        except MemoryExceeded as error:
            if beside:  # By itself it may use more.
                _log.warning("%s: it is run again by itself", error)
                run.crowded.add(node)
                run.schedule.again(node)
                return
            found = Failed(error)
        except FqbenchError as error:
            found = Failed(error)
        seconds = time.monotonic() - run.since[node]
        failure = str(found.error) if isinstance(found, Failed) else None
        if failure is None:
            self._durations.add(node, seconds)
        self._observer.ended(node, seconds, failure)
        run.schedule.end(node, found)

    def _make(self, step: Step, inputs: Mapping[str, Any], cores: Cores, run: _Run) -> Artifact:
        """The artifact of ``step``, made by a child process that uses ``cores``."""
        fields = step.job.model_fields
        report = self._reporting(step)

        def write(folder: Path) -> None:
            given: dict[str, Any] = {**job_inputs(step, self._artifact), "folder": folder}
            if "cores" in fields:
                given["cores"] = len(cores)
            if "scratch" in fields:
                given["scratch"] = self.store.scratch(step.name, inputs)
            job = step.job.model_validate(given)
            name = f"{step.function.__module__}:{step.function.__name__}"
            warning = isolate.call(
                "fqbench.steps.child:perform",
                {"function": name, "job": job.model_dump(mode="json")},
                env=environment(len(cores)),
                timeout_s=step.timeout_s,
                memory=run.memory,
                machine=run.machine,
                on_progress=lambda done, total, told="": report(told, done, total),
                name=f"{step.name} of {step.model}",
                interpreter=interpreter(step.needs.environment),
                cores=cores,
                stop=run.stop,
            )
            if warning is not None:
                _log.warning("%s of %s: %s", step.name, step.model, warning)

        return self.store.get_or_make(step.name, inputs, write)

    def _reporting(self, node: Node) -> Callable[[str, int, int], None]:
        return lambda text, done, total: self._observer.progress(node, text, done, total)

    def _artifact(self, node: Node) -> Artifact | None:
        failed = self.finished.failure(node) is not None
        return None if failed else self.finished.artifact(node)


@dataclass
class _Run:
    """What is going on: steps that run and the cores they use, and what stops them."""

    schedule: Schedule
    cores: Cores
    running: dict[Future[Artifact], tuple[Step, Cores]] = field(default_factory=dict)
    since: dict[Node, float] = field(default_factory=dict)
    crowded: set[Node] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free = list(self.cores)
        self.pool = ThreadPoolExecutor(len(self.cores))
        self.memory = SharedMemory(int(MEMORY_SHARE * memory_mb()))
        self.machine = SharedMachine(self.cores)

    def is_alone(self, node: Node) -> bool:
        """Whether nothing may run beside ``node``."""
        return _is_alone(node) or node in self.crowded

    def take(self, steps: int, most: int | None) -> Cores:
        """Of the free cores the share of one of ``steps`` that wait, at most ``most`` of them."""
        share = max(1, len(self.free) // steps)
        taken = self.free[: share if most is None else min(share, most)]
        del self.free[: len(taken)]
        return tuple(taken)


def _is_alone(node: Node) -> bool:
    return isinstance(node, Measurement) or (
        isinstance(node, Step) and node.needs.alone == "always"
    )


def environment(threads: int) -> dict[str, str]:
    """Variables of a child process whose runtimes use ``threads``.

    Some libraries read their number of threads from the environment only. OpenBLAS is called from
    threads side by side, and adds up alike whatever the cores.
    """
    return {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        "GLOG_minloglevel": "2",
    }
