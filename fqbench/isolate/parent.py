"""The parent's side: start a child, watch its time and memory, tell why it failed.

The child reads one JSON request from its standard input and answers with JSON lines over a pipe
of its own, so that whatever libraries print cannot get between. No pickle.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from fqbench.errors import FqbenchError, StepError, UsageError
from fqbench.jsonvalue import Json

if TYPE_CHECKING:
    import psutil


class Report(Protocol):
    """Called with how much is done, how much there is, and perhaps how it goes."""

    def __call__(self, done: int, total: int, told: str = "", /) -> None:
        """Tell it."""


POLL_S = 0.2
RESCAN_S = 2.0
"""How often a child's own children are looked for: that reads every process of the machine."""
EXIT_S = 5.0
"""How long a child that closed its pipe may take to be gone."""
LOG_BYTES = 8192
LOG_LINES = 3
LINE_LIMIT = 300

_FUNCTION = re.compile(r"fqbench(\.[a-z]\w*)+:[a-z]\w*")
_KINDS = {kind.__name__: kind for kind in (FqbenchError, UsageError, StepError)}
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class _Watch:
    """What a child is called in messages, and what it may use."""

    name: str
    timeout_s: float
    memory_mb: int | None = None
    on_progress: Report | None = None


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    answers: IO[bytes]
    log: IO[bytes]


def call(
    function: str,
    arguments: Mapping[str, Json],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    memory_mb: int | None = None,
    on_progress: Report | None = None,
    name: str = "a step",
) -> Json:
    """Run ``fqbench.module:function`` with ``(arguments, report)`` in a child process.

    ``env`` is added to this process's environment. ``memory_mb`` (MiB) limits the resident memory
    of the child and all it started, looked at five times a second. An FqbenchError of the child
    is raised here as it was; anything else that ends the child (another exception, a signal, a
    limit reached) is raised as StepError that tells what happened to ``name``.
    """
    if not _FUNCTION.fullmatch(function):
        raise ValueError(f"{function!r} is not a function of this package: 'fqbench.module:name'")
    return _run(function, arguments, env or {}, _Watch(name, timeout_s, memory_mb, on_progress))


def _run(
    function: str, arguments: Mapping[str, Json], env: Mapping[str, str], watch: _Watch
) -> Json:
    """As ``call``, for a function of any module."""
    request = {
        "path": [os.path.abspath(folder) for folder in sys.path],
        "function": function,
        "arguments": arguments,
    }
    text = json.dumps(request, allow_nan=False)
    with ExitStack() as stack:
        try:
            child = stack.enter_context(_started(text.encode(), env))
        except OSError as error:
            raise StepError(f"{watch.name} could not be started: {error}") from error
        for message in _messages(child, watch):
            if "progress" not in message:
                return _opened(message, watch.name)
            if watch.on_progress is not None:
                watch.on_progress(*message["progress"])
        raise StepError(_death(child, watch.name))


@contextmanager
def _started(request: bytes, env: Mapping[str, str]) -> Iterator[_Child]:
    """A child that ends with the context and, should this process be killed, with it."""
    with (
        # A file takes a request of any size at once; a pipe would wait for the child to read.
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as log,
        _pipe() as (answers, answers_end),
        # Nothing is ever written to this pipe: its end tells the child that the parent is gone.
        _pipe() as (life_end, _),
    ):
        source.write(request)
        source.seek(0)
        ends = (answers_end.fileno(), life_end.fileno())
        process = subprocess.Popen(
            # -I: neither the working folder nor the child's own is searched for modules.
            # -u: what was printed before a crash is in the log.
            [sys.executable, "-I", "-u", str(_CHILD), *map(str, ends), str(os.getpid())],
            stdin=source,
            stdout=log,
            stderr=log,
            pass_fds=ends,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            # Only the child holds it now: the child's death is the end of its answers.
            answers_end.close()
            yield _Child(process, answers, log)
        finally:
            _end(process)


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    read, write = os.pipe()
    with os.fdopen(read, "rb", 0) as reader, os.fdopen(write, "wb", 0) as writer:
        yield reader, writer


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child, where it still runs, and all it started."""
    # macOS answers PermissionError where only an ended process is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _messages(child: _Child, watch: _Watch) -> Iterator[dict[str, Any]]:
    """What the child says, until it ends. Raises StepError at a limit of ``watch``."""
    now = time.monotonic()
    deadline, next_look = now + watch.timeout_s, now + POLL_S
    memory = _Memory(child.process.pid) if watch.memory_mb is not None else None
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(child.answers, selectors.EVENT_READ)
        while True:
            if selector.select(POLL_S):
                chunk = child.answers.read(1 << 16)
                if not chunk:
                    break
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    yield json.loads(b"".join([*parts, line]))
                    parts = []
                parts.append(rest)
            elif child.process.poll() is not None:
                break  # What it started may still hold the pipe open.
            if (now := time.monotonic()) >= next_look:
                next_look = now + POLL_S
                if now > deadline:
                    raise StepError(_hang(child, watch))
                if memory is not None:
                    memory.check(watch)
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(EXIT_S)


class _Memory:
    """Resident memory of a process and all it started."""

    def __init__(self, pid: int) -> None:
        # Here and not above: children import this module for Report and need no psutil.
        import psutil

        self._error = psutil.Error
        self._root = psutil.Process(pid)
        self._tree: list[psutil.Process] = []
        self._next_scan = 0.0

    def check(self, watch: _Watch) -> None:
        """Raise StepError where it is more than ``watch`` allows."""
        used = self._used_mb()
        if watch.memory_mb is not None and used > watch.memory_mb:
            raise StepError(
                f"{watch.name} used {used} MiB of memory, more than the {watch.memory_mb} MiB"
                " allowed, and was stopped"
            )

    def _used_mb(self) -> int:
        if time.monotonic() >= self._next_scan:
            self._tree = [self._root]
            with suppress(self._error):
                self._tree += self._root.children(recursive=True)
            self._next_scan = time.monotonic() + RESCAN_S
        used = 0
        for process in self._tree:
            with suppress(self._error):
                used += process.memory_info().rss
        return used >> 20


def _opened(answer: dict[str, Any], name: str) -> Json:
    if "result" in answer:
        result: Json = answer["result"]
        return result
    if answer["error"] in _KINDS:
        raise _KINDS[answer["error"]](answer["message"])
    raise StepError(f"{name} failed: {answer['message']}")


def _hang(child: _Child, watch: _Watch) -> str:
    return (
        f"{watch.name} hangs: it did not end within {watch.timeout_s:g} s and was stopped"
        + _last_output(child.log)
    )


def _death(child: _Child, name: str) -> str:
    code = child.process.poll()
    if code is None or code >= 0:
        ended = "closed its pipe" if code is None else f"ended with exit code {code}"
        return f"{name} {ended} and gave no result" + _last_output(child.log)
    try:
        killer = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        killer = f"signal {-code}"
    meaning = (signal.strsignal(-code) or "unknown").lower()
    if -code == signal.SIGKILL:
        meaning = "as the system does when memory runs out"
    return f"{name} was killed by {killer} ({meaning})" + _last_output(child.log)


def _last_output(log: IO[bytes]) -> str:
    """The last lines that the child printed, as the end of a sentence."""
    # Not by seek: the child writes where this file stands.
    size = os.fstat(log.fileno()).st_size
    text = os.pread(log.fileno(), LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace")
    printable = ("".join(c if c.isprintable() else " " for c in s) for s in text.splitlines())
    lines = [line.strip()[:LINE_LIMIT] for line in printable if line.strip()]
    return "; last output: " + " | ".join(lines[-LOG_LINES:]) if lines else ""
