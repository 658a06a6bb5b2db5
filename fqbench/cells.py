"""The matrix of model, backend, device and precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from fqbench.backends import registry
from fqbench.environments import HERE, Missing, find
from fqbench.errors import UsageError
from fqbench.methods import DEFAULT, check_offered
from fqbench.precisions import CHOSEN, baseline
from fqbench.precisions import precisions as known_precisions

Device = Literal["cpu", "gpu"]

DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True)
class Cell:
    """One point of the matrix.

    ``method``: what makes its model, where cells of several methods stand beside each other; None:
    the method that the run asks for.
    """

    model: str
    backend: str
    device: Device
    precision: str
    method: str | None = None

    @property
    def id(self) -> str:
        """Readable name, such as ``yolov5s-onnxruntime-cpu-int8``, with the method behind ``@``."""
        made = "" if self.method is None else f"@{self.method}"
        return f"{self.model}-{self.backend}-{self.device}-{self.precision}{made}"

    @property
    def baseline(self) -> Cell:
        """The cell that it is compared with."""
        return replace(self, precision=baseline().name, method=None)

    @property
    def unsupported(self) -> str | None:
        """Why the cell cannot run on this machine; None where it can."""
        known = registry.backend(self.backend)
        reason = registry.runtime(self.backend).supports(self.device, self.precision)
        if reason is not None:
            return reason
        if self.device == "gpu" and known.environment != HERE:
            return "fqbench runs what lives in an environment of its own on the CPU only"
        there = find(known.environment)
        return there.reason if isinstance(there, Missing) else None


@dataclass(frozen=True)
class Selection:
    """Which part of the matrix is meant; None in a dimension means all of it that can run.

    ``methods``: those whose INT8 models stand beside each other; None: that of the run alone.
    """

    models: tuple[str, ...] | None = None
    backends: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    precisions: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None

    def check(self) -> None:
        """Raise UsageError for a backend, device, precision or method that does not exist."""
        _ = self.chosen_backends
        _chosen("device", self.devices, DEVICES)
        _chosen("precision", self.precisions, tuple(known_precisions()))
        for name in self.methods or ():
            check_offered(name)

    @property
    def chosen_backends(self) -> tuple[str, ...]:
        """The chosen backends, versions of one next to each other. Raises UsageError."""
        known = tuple(registry.backends())
        wanted = known if self.backends is None else self.backends
        chosen = [registry.backend(name).name for name in dict.fromkeys(wanted)]
        return tuple(sorted(chosen, key=lambda name: known.index(registry.unversioned(name))))

    def cells(self, models: Sequence[str]) -> tuple[Cell, ...]:
        """The chosen cells, in the order model, backend, device, precision, method.

        Cells that cannot run are part of it only where a backend, device or precision was named
        of which no cell can run: whoever named it is told why. Raises UsageError for unknown names.
        """
        chosen = matrix(
            _chosen("model", self.models, models),
            self.chosen_backends,
            _chosen("device", self.devices, DEVICES),
            _chosen("precision", self.precisions, tuple(known_precisions())),
        )
        runnable = {cell for cell in chosen if cell.unsupported is None}
        idle_backends = set(self.backends or ()) - {cell.backend for cell in runnable}
        idle_devices = set(self.devices or ()) - {cell.device for cell in runnable}
        idle_precisions = set(self.precisions or ()) - {cell.precision for cell in runnable}
        return tuple(
            each
            for cell in chosen
            for each in self._by_methods(cell)
            if cell in runnable
            or cell.backend in idle_backends
            or cell.device in idle_devices
            or cell.precision in idle_precisions
        )

    def _by_methods(self, cell: Cell) -> tuple[Cell, ...]:
        """``cell`` for each of the methods; without a name in that of the default one."""
        if self.methods is None or known_precisions()[cell.precision].method != CHOSEN:
            return (cell,)
        names = dict.fromkeys(None if name == DEFAULT else name for name in self.methods)
        return tuple(replace(cell, method=name) for name in names)


def matrix(
    models: Iterable[str],
    backends: Iterable[str] | None = None,
    devices: Iterable[str] = DEVICES,
    precisions: Iterable[str] | None = None,
) -> tuple[Cell, ...]:
    """Every combination, in the order of the arguments; of all backends and precisions where none
    is named."""
    chosen = registry.backends() if backends is None else backends
    numbers = known_precisions() if precisions is None else precisions
    return tuple(
        Cell(model, backend, device, precision)  # type: ignore[arg-type]
        for model in models
        for backend in chosen
        for device in devices
        for precision in numbers
    )


def _chosen(dimension: str, wanted: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    if wanted is None:
        return tuple(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"there is no {dimension} {unknown[0]!r}: the {dimension}s are {', '.join(known)}"
        )
    return tuple(name for name in known if name in wanted)
