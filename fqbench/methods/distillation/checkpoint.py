"""Where a training that was stopped goes on: weights, the optimizer's memory, what was found."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fqbench.message import describe_mismatch
from fqbench.methods.distillation.history import History

Arrays = Mapping[str, NDArray[np.float32]]

STATE, BEST, FACTS = "state ", "best ", "history"


@dataclass(frozen=True)
class Checkpoint:
    """A training after the last evaluation of ``history``.

    ``state``: what the student restores; ``best``: weights of the best evaluation, None where
    that is the start.
    """

    state: Arrays
    best: Arrays | None
    history: History

    def write(self, path: Path) -> None:
        """Write to ``path``, which holds the one before until this one is whole."""
        text = json.dumps(asdict(self.history), allow_nan=False).encode()
        arrays: dict[str, NDArray[Any]] = {
            **{f"{STATE}{name}": value for name, value in self.state.items()},
            **{f"{BEST}{name}": value for name, value in (self.best or {}).items()},
            FACTS: np.frombuffer(text, np.uint8),
        }
        beside = path.with_suffix(".part")
        with beside.open("wb") as stream:
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)

    @staticmethod
    def read(path: Path) -> Checkpoint:
        """Read what ``write`` wrote. Raises UnreadableError for anything else."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            history = History.of(json.loads(arrays.pop(FACTS).tobytes()))
        except ValidationError as error:
            mistake = describe_mismatch(error)
            raise UnreadableError(f"{path.name} cannot be read: {mistake}") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableError(f"{path.name} cannot be read: {error}") from error
        state, best = (
            {name[len(kind) :]: value for name, value in arrays.items() if name.startswith(kind)}
            for kind in (STATE, BEST)
        )
        return Checkpoint(state, best or None, history)


class UnreadableError(Exception):
    """A file is no checkpoint, or not a whole one."""
