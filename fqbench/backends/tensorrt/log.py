"""What a library says while it works, kept instead of printed."""

from __future__ import annotations

from functools import cache
from typing import Any

SHOWN = 300
"""Characters of a foreign text that go into a message of ours."""

KEPT = 10
"""Errors that are kept, of the first and of the last ones."""


def short(text: str, limit: int = SHOWN) -> str:
    """``text`` in one line of printable characters, cut at ``limit``."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def listener(library: Any) -> Any:
    """The logger of this process for ``library``, its module: keeps errors as texts in ``errors``.

    There is one, since TensorRT ignores a second that comes while the first is in use.
    """
    found = _listener(library.ILogger)
    found.errors.clear()
    return found


@cache
def _listener(kind: Any) -> Any:
    class Listener(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            kind.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, text: str) -> None:
            if severity in (kind.ERROR, kind.INTERNAL_ERROR):
                self.errors.append(text)
                # The first ones tell the cause, the last ones what came of it.
                del self.errors[KEPT:-KEPT]

    return Listener()


def last_errors(errors: list[str]) -> str:
    """The last two of ``errors``, for a sentence that says what a library said."""
    said = "; ".join(short(text, SHOWN // 2) for text in errors[-2:])
    return said or "it said nothing"
