"""How long steps took, for an estimate of how long a run will take."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from statistics import median

from fqbench.errors import UsageError
from fqbench.fileio import write_text
from fqbench.steps.step import Node, title

FILE = "durations.json"

_log = logging.getLogger(__name__)


class Durations:
    """Seconds by step and model, the last of each, kept in ``folder``.

    They only serve an estimate: a file that cannot be read or written is no error.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._seconds = _read(self._file)
        self._lock = threading.Lock()

    def add(self, node: Node, seconds: float) -> None:
        """Remember that ``node`` took ``seconds``."""
        with self._lock:
            self._seconds.setdefault(title(node), {})[node.model] = round(seconds, 3)

    def keep(self) -> None:
        """Write them down, over those of any other process."""
        try:
            write_text(self._file, json.dumps(self._seconds, indent=1, sort_keys=True))
        except UsageError as error:
            _log.info("%s", error)

    def expected(self, node: Node) -> float | None:
        """Seconds that ``node`` took the last time, or what such steps of other models take.

        None where there was none.
        """
        known = self._seconds.get(title(node), {})
        if node.model in known:
            return known[node.model]
        return median(known.values()) if known else None


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        found = json.loads(path.read_text())
        return {
            str(step): {str(model): float(seconds) for model, seconds in models.items()}
            for step, models in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
