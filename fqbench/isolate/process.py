"""A child process: started, ended, and what became of it in one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fqbench.errors import StepError
from fqbench.jsonvalue import Json

LOG_BYTES = 8192
LOG_LINES = 3
LINE_LIMIT = 300

_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Interpreter:
    """What runs a child: this Python, or that of another environment.

    ``path``: where modules are looked for; None for where that environment has them. ``first``:
    folders that come before all of these.
    """

    executable: str
    path: tuple[str, ...] | None = None
    first: tuple[str, ...] = ()

    @staticmethod
    def here(*first: str) -> Interpreter:
        """This Python, with the folders that modules are found in here, behind ``first``."""
        return Interpreter(sys.executable, tuple(map(os.path.abspath, sys.path)), first)


@dataclass(frozen=True)
class Request:
    """Which function a child runs, on what, and bound to which ``cores`` (none: to no core)."""

    function: str
    arguments: Mapping[str, Json]
    env: Mapping[str, str]
    interpreter: Interpreter
    cores: tuple[int, ...] = ()

    def encoded(self) -> bytes:
        """As the child reads it."""
        request = {
            "path": self.interpreter.path,
            "first": self.interpreter.first,
            "function": self.function,
            "arguments": self.arguments,
            "cores": self.cores,
        }
        return json.dumps(request, allow_nan=False).encode()


@dataclass(frozen=True)
class Child:
    """A running child, the ends of its pipes that are the parent's, and what it printed."""

    process: subprocess.Popen[bytes]
    questions: IO[bytes]
    answers: IO[bytes]
    log: IO[bytes]


@contextmanager
def started(request: Request, name: str) -> Iterator[Child]:
    """A child that ends with the context and, should this process be killed, with it."""
    text = request.encoded()
    with (
        # A file takes a request of any size at once; a pipe would wait for the child to read.
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as log,
        _pipe() as (answers, answers_end),
        _pipe() as (questions_end, questions),
        # Nothing is ever written to this pipe: its end tells the child that the parent is gone.
        _pipe() as (life_end, _),
    ):
        source.write(text)
        source.seek(0)
        ends = (answers_end.fileno(), life_end.fileno(), questions_end.fileno())
        # -I: neither the working folder nor the child's own is searched for modules.
        # -u: what was printed before a crash is in the log.
        command = [request.interpreter.executable, "-I", "-u", str(_CHILD)]
        try:
            process = subprocess.Popen(
                [*command, *map(str, ends), str(os.getpid())],
                stdin=source,
                stdout=log,
                stderr=log,
                pass_fds=ends,
                env={**os.environ, **request.env},
                start_new_session=True,
            )
        except OSError as error:
            raise StepError(f"{name} could not be started: {error}") from error
        try:
            # Only the child holds them now: the child's death is the end of its answers.
            answers_end.close()
            questions_end.close()
            yield Child(process, questions, answers, log)
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


def hang(child: Child, name: str, seconds: float) -> str:
    """What to tell of a child that did not answer within ``seconds``."""
    return f"{name} hangs: it did not end within {seconds:g} s and was stopped" + _last_output(
        child.log
    )


def death(child: Child, name: str) -> str:
    """What to tell of a child that ended without an answer."""
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
