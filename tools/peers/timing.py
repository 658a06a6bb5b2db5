"""All forms of a model timed in turns: fqbench's in child processes, its peers' in this one.

fqbench's are run as ``fqbench run`` times them; Paddle Inference and the peers' libraries do not
share a process. One thread, batch 1; every launch starts the processes and loads the models again,
since what a start happens to get shifts all its times. No process is bound to a core: on one that
others use too, OpenVINO gave up its turn in almost every inference, and took 3.4 ms instead of 0.8.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from fqbench import isolate
from fqbench.backends.base import Tensor
from fqbench.errors import FqbenchError
from fqbench.isolate import Conversation
from fqbench.measure.latency import Block, Side, Stopwatch, TimingBudget, take_turns
from fqbench.measure.launches import Process
from fqbench.measure.stats import Launches
from tools.peers.forms import Form
from tools.peers.making import Made
from tools.peers.running import load

LAUNCHES = 5
TIMING_BUDGET = TimingBudget(warm_up=0.1, rounds=15, fewest=2, longest=2.4)
ANSWER_S = 300.0


@dataclass(frozen=True)
class Times:
    """Times of each form in seconds, launch by launch, and why those have none that failed."""

    launches: Mapping[Form, Launches]
    failures: Mapping[Form, str]


def time_all(
    own: Mapping[Form, Process],
    peers: Sequence[Made],
    feed: list[Tensor],
    launches: int = LAUNCHES,
    timing: TimingBudget = TIMING_BUDGET,
) -> Times:
    """Time the forms of fqbench and ``peers`` on the image of ``feed``.

    A form of fqbench that fails twice is left out from then on.
    """
    order = random.Random(0)
    running, failures, forgiven = dict(own), {}, set()
    recorded: list[Mapping[str, tuple[Block, ...]]] = []
    while len(recorded) < launches:
        try:
            recorded.append(_launch(running, peers, feed, order, timing))
        except _FailedError as failed:
            if failed.form in forgiven:
                failures[failed.form] = str(failed)
                del running[failed.form]
            forgiven.add(failed.form)
    forms = [*running, *(made.form for made in peers)]
    times = {form: tuple(launch[form.name] for launch in recorded) for form in forms}
    return Times(times, failures)


class _FailedError(Exception):
    """A form of fqbench that cannot be timed, and why."""

    def __init__(self, form: Form, reason: str) -> None:
        super().__init__(reason)
        self.form = form


def _launch(
    own: Mapping[Form, Process],
    peers: Sequence[Made],
    feed: list[Tensor],
    order: random.Random,
    timing: TimingBudget,
) -> Mapping[str, tuple[Block, ...]]:
    with ExitStack() as stack:
        talks = []
        for form in order.sample(list(own), len(own)):
            with _attribute_failures(form):
                talks.append((form, stack.enter_context(_started(own[form]))))
        sides: dict[str, Side] = {}
        for made in order.sample(list(peers), len(peers)):
            sides[made.form.name] = Stopwatch(partial(load(made).run, feed))
        for form, talk in talks:
            with _attribute_failures(form):
                talk.ready()
            sides[form.name] = _Remote(form, talk)
        return take_turns(sides, timing, order).blocks


@dataclass(frozen=True)
class _Remote:
    """A form of fqbench in its process."""

    form: Form
    talk: Conversation

    def warm_up(self, timing: TimingBudget) -> int:
        runs: int = self._ask({"warm_up": asdict(timing)})
        return runs

    def block(self, runs: int) -> Block:
        return tuple(self._ask({"runs": runs}))

    def _ask(self, question: dict[str, Any]) -> Any:
        with _attribute_failures(self.form):
            return self.talk.ask({"side": self.form.name, **question})


@contextmanager
def _attribute_failures(form: Form) -> Iterator[None]:
    """Errors inside are those of ``form``."""
    try:
        yield
    except FqbenchError as error:
        raise _FailedError(form, str(error)) from error


def _started(process: Process) -> AbstractContextManager[Conversation]:
    return isolate.converse(
        process.function,
        {**process.arguments, "cores": []},
        # Some libraries read their number of threads from the environment only.
        env={"OMP_NUM_THREADS": str(process.threads), "GLOG_minloglevel": "2"},
        timeout_s=ANSWER_S,
        name=process.name,
        interpreter=process.interpreter,
    )
