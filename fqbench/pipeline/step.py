"""One step: found in the store, or made by a child process and stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fqbench import isolate
from fqbench.artifacts import Artifact, Store
from fqbench.backends import backend as backend_of
from fqbench.backends import runtime
from fqbench.errors import StepError
from fqbench.graph.executor import LIBRARY
from fqbench.hardware import MEMORY_SHARE, kernels_of, memory_mb, usable_cores
from fqbench.machine import versions

_log = logging.getLogger(__name__)

STEPS_VERSION = 24
"""Part of every key; raised when a step's result changes for the same inputs."""

STEP_S = 1800.0
IMAGE_S = 60.0
"""Seconds a step may take, and what each image it works on adds: far more than any needs."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Steps:
    """Runs the steps of the model called ``model``."""

    model: str
    store: Store
    progress: Progress

    def make(
        self,
        name: str,
        inputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        libraries: tuple[str, ...],
        images: int = 0,
        *,
        resumes: bool = False,
        function: str | None = None,
    ) -> Artifact:
        """The artifact of step ``name``, made by ``function`` of ``fqbench.pipeline.steps``.

        By default, the function of that name.

        ``inputs`` are all that its files depend on, beside the CPU and the versions of
        ``libraries``; ``arguments`` is what it is called with, beside its folder and, where it
        ``resumes`` after it was stopped, the folder ``scratch`` that is kept until it is done. What
        it returns is a warning for the user. Raises StepError.
        """
        installed = versions()
        key = {
            **inputs,
            "version": STEPS_VERSION,
            # Every step, since any may run a runtime whose kernels the CPU decides.
            "cpu": kernels_of(),
            "libraries": {lib: installed[lib] for lib in libraries if lib in installed},
        }

        def write(folder: Path) -> None:
            scratch = {"scratch": str(self.store.scratch(name, key))} if resumes else {}
            warning = self.call(
                f"fqbench.pipeline.steps:{function or name}",
                {**arguments, "folder": str(folder), **scratch},
                text=name,
                threads=usable_cores(),
                timeout_s=STEP_S + IMAGE_S * images,
            )
            if warning is not None:
                _log.warning("%s of %s: %s", name, self.model, warning)

        self.progress(name, 0, 0)
        return self.store.get_or_make(name, key, write)

    def saturates(self, backend: str) -> bool:
        """Whether 8-bit products saturate in the kernels that ``backend`` runs on this CPU.

        Where it cannot be found out they are taken to: that costs time, and fails no other backend.
        """
        used = backend_of(backend)
        if used.saturates == "never" or runtime(backend).supports("cpu", "int8") is not None:
            return False
        libraries = ("onnx", LIBRARY, "paddlepaddle", "x2paddle", *used.distributions)
        try:
            made = self.make("probe", {"backend": backend}, {"backend": backend}, libraries)
        except StepError as error:
            _log.warning("%s", error)
            return True
        return bool(json.loads(made.file("kernels.json").read_text())["saturates"])

    def call(
        self,
        function: str,
        arguments: Mapping[str, Any],
        *,
        text: str,
        threads: int,
        timeout_s: float = STEP_S,
    ) -> Any:
        """Result of ``function`` in a child process of ``threads`` threads. Raises StepError."""
        return isolate.call(
            function,
            arguments,
            # Some libraries read their number of threads from the environment only. OpenBLAS is
            # called from threads side by side, and adds up alike whatever the cores.
            env={
                "OMP_NUM_THREADS": str(threads),
                "OPENBLAS_NUM_THREADS": "1",
                "GLOG_minloglevel": "2",
            },
            timeout_s=timeout_s,
            memory_mb=int(MEMORY_SHARE * memory_mb()),
            on_progress=lambda done, total, told="": self.progress(
                f"{text}: {told}" if told else text, done, total
            ),
            name=f"{text} of {self.model}",
        )

    def score(self, name: str, inputs: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """A JSON value that follows from ``inputs``, computed here once and stored."""

        def write(folder: Path) -> None:
            (folder / "score.json").write_text(json.dumps(compute(), allow_nan=False))

        self.progress(name, 0, 0)
        made = self.store.get_or_make(name, {**inputs, "version": STEPS_VERSION}, write)
        return json.loads(made.file("score.json").read_text())
