"""The child's side: read one request, call its function, answer over a pipe of its own.

Run as a script with two descriptors (answers, the parent's life) and the parent's process id.
Only what every child needs is imported here, for the sake of its start-up time.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, NoReturn

TEXT_LIMIT = 300

Answer = Callable[[Mapping[str, Any]], None]


def main(answers_end: int, life_end: int, questions_end: int, parent: int) -> NoReturn:
    """Serve the request on standard input, then exit."""
    _die_with_parent(life_end, parent)
    _die_first_of_memory()
    request = json.load(sys.stdin)
    if request["path"] is not None:
        sys.path[:] = request["path"]
    sys.path[:0] = request["first"]
    if request["cores"]:
        # Before anything native is imported: libraries count the cores when they are loaded.
        with suppress(AttributeError, OSError):  # Some systems bind no process.
            os.sched_setaffinity(0, request["cores"])
    with os.fdopen(answers_end, "wb") as answers, os.fdopen(questions_end, "rb") as questions:

        def answer(message: Mapping[str, Any]) -> None:
            answers.write(_line(message))
            answers.flush()

        _serve(request, questions, answer)
    # Native libraries may crash while they are torn down, when the answer is already given.
    os._exit(0)


def _serve(request: dict[str, Any], questions: IO[bytes], answer: Answer) -> None:
    """Answer once, or once and for each question where the function is a generator."""
    from fqbench.errors import FqbenchError

    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        if inspect.isgeneratorfunction(function):
            for result in function(request["arguments"], map(json.loads, questions)):
                answer({"result": result})
        else:
            answer({"result": function(request["arguments"], _Parent(questions, answer))})
    except FqbenchError as error:
        answer({"error": type(error).__name__, "message": str(error)})
    except BaseException as error:
        answer({"error": "", "message": _described(error)})


class _Parent:
    """The parent as a function sees it: see ``fqbench.isolate.parent.Parent``."""

    def __init__(self, questions: IO[bytes], answer: Answer) -> None:
        self._questions, self._answer = questions, answer

    def __call__(self, *progress: Any) -> None:
        """Report progress."""
        self._answer({"progress": progress})

    @contextmanager
    def alone(self) -> Iterator[tuple[int, ...]]:
        """Have the machine to itself; yields the cores that may be used meanwhile."""
        self._answer({"alone": True})
        granted = json.loads(self._questions.readline())
        try:
            yield tuple(granted["cores"])
        finally:
            self._answer({"alone": False})


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def _described(error: BaseException) -> str:
    """Type, text and place of an error that nobody foresaw, in one line."""
    text = " ".join(str(error).split())[:TEXT_LIMIT]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {text}{place}"


def _die_with_parent(life_end: int, parent: int) -> None:
    """See to it that this process does not outlive its parent, however that ends."""
    if sys.platform == "linux":
        import ctypes

        # Also where native code never lets the thread below run. From linux/prctl.h.
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_await_end_of, args=(life_end,), daemon=True).start()


def _await_end_of(life_end: int) -> None:
    os.read(life_end, 1)
    os.killpg(os.getpid(), signal.SIGKILL)


def _die_first_of_memory() -> None:
    """Let Linux, when memory runs out, choose this process and not its parent."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
