"""OpenVINO at full load: its hint THROUGHPUT, and as many requests as it calls optimal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fqbench.backends.base import Tensor
from fqbench.backends.openvino.backend import HINTS
from fqbench.backends.openvino.runtime import compiled_for_throughput, model_in, set_inputs
from fqbench.backends.throughput import Crew, Way

LABEL = "asynchronous, as many requests and streams as the hint THROUGHPUT makes"


def ways(folder: Path, *, device: str, precision: str, cores: int) -> tuple[Way, ...]:
    """See ``fqbench.backends.throughput.FindWays``."""
    return (Way(LABEL, partial(_load, model_in(folder), HINTS.get(precision, "f32"), cores)),)


def _load(model: Path, hint: str, cores: int) -> Crew:
    return _Requests(compiled_for_throughput(model, cores, hint))


class _Requests:
    """OpenVINO's own queue of requests; each reads the caller's memory, which is not copied."""

    def __init__(self, model: Any) -> None:
        import openvino as ov

        self._queue = ov.AsyncInferQueue(model)
        self._given: Sequence[Tensor] | None = None

    @property
    def width(self) -> int:
        """See ``Crew.width``."""
        return len(self._queue)

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """See ``Crew.run``."""
        if inputs is not self._given:
            for request in self._queue:
                set_inputs(request, inputs)
            self._given = inputs
        for _ in range(count):
            self._queue.start_async()
        self._queue.wait_all()
