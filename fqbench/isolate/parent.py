"""The parent's side: ask a child, watch its time and memory, tell why it failed.

The child reads one JSON request from its standard input and answers with JSON lines over a pipe
of its own, so that whatever libraries print cannot get between; in a conversation it reads
questions, JSON lines too, from another. No pickle.
"""

from __future__ import annotations

import json
import re
import selectors
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from fqbench.errors import FqbenchError, Interrupted, MemoryExceeded, StepError, UsageError
from fqbench.isolate.memory import Memory, SharedMemory
from fqbench.isolate.process import Child, Interpreter, Request, death, hang, started
from fqbench.isolate.turns import SharedMachine
from fqbench.jsonvalue import Json

POLL_S = 0.2
EXIT_S = 5.0
"""How long a child that closed its pipe may take to be gone."""

_FUNCTION = re.compile(r"fqbench(\.[a-z]\w*)+:[a-z]\w*")
_KINDS = {kind.__name__: kind for kind in (FqbenchError, UsageError, StepError)}


class Report(Protocol):
    """Called with how much is done, how much there is, and perhaps how it goes."""

    def __call__(self, done: int, total: int, told: str = "", /) -> None:
        """Tell it."""


@runtime_checkable
class Parent(Report, Protocol):
    """What a function in a child process is given as its ``Report``."""

    def alone(self) -> AbstractContextManager[tuple[int, ...]]:
        """See the function ``alone``."""


def alone(report: Report) -> AbstractContextManager[tuple[int, ...]]:
    """The machine for one child by itself: those that share it are paused inside the context.

    ``report`` is what the child's function was given. Entering waits for the child's turn, and
    gives the cores that it may use meanwhile; none: those that it has. Not to be nested. Outside of
    a child process nothing is waited for and nothing paused.
    """
    return report.alone() if isinstance(report, Parent) else nullcontext(())


@dataclass(frozen=True)
class _Watch:
    """What a child is called in messages, what it may use, and what stops it."""

    name: str
    timeout_s: float
    memory: SharedMemory | None = None
    machine: SharedMachine | None = None
    on_progress: Report | None = None
    stop: threading.Event | None = None


def call(
    function: str,
    arguments: Mapping[str, Json],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    memory: SharedMemory | None = None,
    machine: SharedMachine | None = None,
    on_progress: Report | None = None,
    name: str = "a step",
    interpreter: Interpreter | None = None,
    cores: tuple[int, ...] = (),
    stop: threading.Event | None = None,
) -> Json:
    """Run ``fqbench.module:function`` with ``(arguments, report)`` in a child process.

    It runs in ``interpreter``, or else in this Python. ``env`` is added to this process's
    environment. ``memory`` limits the resident memory of the child and all it started, together
    with others that share it, looked at five times a second: MemoryExceeded where it is reached.
    ``machine``: shared with other children, each of which may ask to be ``alone``; the time that
    this one is paused for others is not counted.
    ``cores``: those that the child may use; none: all. Once ``stop`` is set the child is stopped,
    and Interrupted raised. An FqbenchError of the child is raised here as it was; anything else
    that ends it (another exception, a signal, a limit reached) is raised as StepError that says
    what happened to ``name``.
    """
    watch = _Watch(name, timeout_s, memory, machine, on_progress, stop)
    interpreter = interpreter or Interpreter.here()
    return _answered(Request(_checked(function), arguments, env or {}, interpreter, cores), watch)


@contextmanager
def converse(
    function: str,
    arguments: Mapping[str, Json],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    memory: SharedMemory | None = None,
    name: str = "a step",
    interpreter: Interpreter | None = None,
) -> Iterator[Conversation]:
    """A child process that answers questions, until the context ends.

    ``fqbench.module:function`` is called with ``(arguments, questions)``, an iterator of JSON
    values, and yields one JSON value when it is ready, then one for each question. ``timeout_s`` is
    for each answer; the rest is as for ``call``.
    """
    request = Request(_checked(function), arguments, env or {}, interpreter or Interpreter.here())
    with _conversation(request, _Watch(name, timeout_s, memory)) as conversation:
        yield conversation


@contextmanager
def _conversation(request: Request, watch: _Watch) -> Iterator[Conversation]:
    """As ``converse``, with a function of any module."""
    with started(request, watch.name) as child, closing(Conversation(child, watch)) as conversation:
        yield conversation


class Conversation:
    """The parent's end of a conversation. Methods raise as ``call`` does."""

    def __init__(self, child: Child, watch: _Watch) -> None:
        self._child, self._watch = child, watch
        self._answers = _Answers(child, watch)

    def close(self) -> None:
        """Nothing is asked any more."""
        self._answers.close()

    def ready(self) -> Json:
        """What the child tells first: it waits until the child is ready for questions."""
        message = self._answers.read(self._answers.clock() + self._watch.timeout_s)
        if message is None:
            raise StepError(death(self._child, self._watch.name))
        return _opened(message, self._watch.name)

    def ask(self, question: Json) -> Json:
        """The child's answer."""
        # Where the child is gone, its answers, which end, tell what became of it.
        with suppress(BrokenPipeError):
            self._child.questions.write(json.dumps(question, allow_nan=False).encode() + b"\n")
        return self.ready()


def _checked(function: str) -> str:
    if not _FUNCTION.fullmatch(function):
        raise ValueError(f"{function!r} is not a function of this package: 'fqbench.module:name'")
    return function


def _run(
    function: str, arguments: Mapping[str, Json], env: Mapping[str, str], watch: _Watch
) -> Json:
    """As ``call``, for a function of any module."""
    return _answered(Request(function, arguments, env, Interpreter.here()), watch)


def _answered(request: Request, watch: _Watch) -> Json:
    with started(request, watch.name) as child, closing(_Answers(child, watch)) as answers:
        deadline = answers.clock() + watch.timeout_s
        while (message := answers.read(deadline)) is not None:
            if "progress" not in message:
                return _opened(message, watch.name)
            if watch.on_progress is not None:
                watch.on_progress(*message["progress"])
        raise StepError(death(child, watch.name))


class _Answers:
    """What a child says, message by message, while its time and memory are watched.

    When it asks to be alone it is answered here.
    """

    def __init__(self, child: Child, watch: _Watch) -> None:
        self._child, self._watch = child, watch
        self._memory = Memory(child.process.pid) if watch.memory is not None else None
        self._next_look = time.monotonic() + POLL_S
        self._read: deque[dict[str, Any]] = deque()
        self._part = b""
        # By itself it is alone whenever it asks for that.
        self._machine = watch.machine or SharedMachine()
        self._machine.join(child)

    def close(self) -> None:
        """The child, which is about to be ended, counts no longer for what others may use."""
        self._machine.leave(self._child)
        if self._watch.memory is not None:
            self._watch.memory.end(self)

    def clock(self) -> float:
        """Seconds of a clock that stands still while the child is paused."""
        return time.monotonic() - self._machine.paused_s(self._child)

    def read(self, deadline: float) -> dict[str, Any] | None:
        """The next message; None where the child ended. Raises StepError at a limit.

        ``deadline`` is a time of ``clock``.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.answers, selectors.EVENT_READ)
            while not self._read:
                if selector.select(POLL_S):
                    chunk = self._child.answers.read(1 << 16)
                    if not chunk:
                        break
                    *lines, self._part = (self._part + chunk).split(b"\n")
                    for line in lines:
                        self._hear(json.loads(line))
                elif self._child.process.poll() is not None:
                    break  # What it started may still hold the pipe open.
                self._look(deadline)
        if self._read:
            return self._read.popleft()
        with suppress(subprocess.TimeoutExpired):
            self._child.process.wait(EXIT_S)
        return None

    def _hear(self, message: dict[str, Any]) -> None:
        if "alone" not in message:
            self._read.append(message)
        elif message["alone"]:
            self._machine.ask(self._child)
        else:
            self._machine.give_back(self._child)

    def _look(self, deadline: float) -> None:
        if (now := time.monotonic()) < self._next_look:
            return
        self._next_look = now + POLL_S
        name, memory, stop = self._watch.name, self._watch.memory, self._watch.stop
        if stop is not None and stop.is_set():
            raise Interrupted(f"{name} was stopped")
        if self.clock() > deadline:
            raise StepError(hang(self._child, name, self._watch.timeout_s))
        if self._memory is not None and memory is not None:
            used = self._memory.used_mb()
            if memory.exceeds(self, used):
                raise MemoryExceeded(
                    f"{name} used {used} MiB of memory, more than the {memory.limit_mb} MiB"
                    " allowed, and was stopped"
                )


def _opened(answer: dict[str, Any], name: str) -> Json:
    if "result" in answer:
        result: Json = answer["result"]
        return result
    if answer["error"] in _KINDS:
        raise _KINDS[answer["error"]](answer["message"])
    raise StepError(f"{name} failed: {answer['message']}")
