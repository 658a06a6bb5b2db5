"""All that ``fqbench doctor`` finds out, in one record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fqbench.artifacts import default_root
from fqbench.backends import backend
from fqbench.doctor.noise import Noise, listen
from fqbench.doctor.products import probed, saturates
from fqbench.doctor.runtimes import Support, supports
from fqbench.errors import FqbenchError
from fqbench.hardware import CpuFacts, cpu, kernels_of, memory_mb
from fqbench.jsonvalue import Json

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and how much there is."""


@dataclass(frozen=True)
class Checkup:
    """A machine.

    ``hidden``: environment variables that hide instruction sets from runtimes. ``load``: processes
    that wanted a core in the last minute. ``store``: the folder that artifacts are kept in;
    ``free_mb``: MiB there. ``saturates``: whether 8-bit products saturate, by backend, or why that
    could not be found out. ``noise``: how well it can be timed on, or why that could not be found
    out; None: it was not asked for.
    """

    cpu: CpuFacts
    hidden: tuple[str, ...]
    memory_mb: int
    load: float
    store: Path
    free_mb: int
    supports: tuple[Support, ...]
    saturates: tuple[tuple[str, bool | str], ...]
    noise: Noise | str | None

    @property
    def runs(self) -> bool:
        """Whether anything runs here, and all that was tried did."""
        tried = [*(found for _, found in self.saturates), self.noise]
        return any(each.precisions for each in self.supports) and not any(
            isinstance(found, str) for found in tried
        )

    def to_json(self) -> dict[str, Json]:
        """As ``--json`` prints it."""
        return {
            "cpu": asdict(self)["cpu"],
            "hidden": self.hidden,
            "memory_mb": self.memory_mb,
            "load": self.load,
            "store": {"folder": str(self.store), "free_mb": self.free_mb},
            "backends": [
                {
                    "backend": each.backend,
                    "device": each.device,
                    "precisions": each.precisions,
                    "reasons": each.reasons,
                }
                for each in self.supports
            ],
            "saturates": dict(self.saturates),
            "noise": _noise_to_json(self.noise),
        }


def _noise_to_json(found: Noise | str | None) -> Json:
    if not isinstance(found, Noise):
        return found
    return {
        **asdict(found),
        "verdict": found.verdict,
        "seconds_for_gate": found.seconds_for_gate,
    }


def examine(progress: Progress, seconds: float) -> Checkup:
    """Find out all of it; the machine is timed for about ``seconds``, 0: not at all."""
    load = os.getloadavg()[0]  # Before we add to it.
    found = supports()
    saturating = tuple(_products(probed(found), progress))
    store = default_root()
    return Checkup(
        cpu(),
        tuple(kernels_of()["hidden"]),
        memory_mb(),
        load,
        store,
        shutil.disk_usage(_existing(store)).free >> 20,
        found,
        saturating,
        _noise(progress, seconds) if seconds else None,
    )


def _products(names: Iterable[str], progress: Progress) -> Iterator[tuple[str, bool | str]]:
    for name in names:
        progress(f"multiplying in {backend(name).label}", 0, 0)
        try:
            yield name, saturates(name)
        except FqbenchError as error:
            yield name, str(error)


def _noise(progress: Progress, seconds: float) -> Noise | str:
    progress("timing fixed products", 0, 0)
    try:
        return listen(seconds)
    except FqbenchError as error:
        return str(error)


def _existing(folder: Path) -> Path:
    """``folder``, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
