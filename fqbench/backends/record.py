"""``Backend``: all that the rest of fqbench knows of a runtime that runs models.

Each backend has one record, in its own folder, which is found as an entry point (``registry``).
Making a record imports nothing heavy: what runs, lowers or searches is named as
``module:attribute`` and imported where it is used, as a rule in a child process.

No field has a default: what is left out would be another backend's behaviour.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol

from fqbench.errors import FqbenchError

Reference = str
"""``module:attribute`` of what is imported where it is used."""

Capability = tuple[int, int]
"""Compute capability of a GPU: (8, 9) of what NVIDIA's compiler calls SM89."""

Saturation = Literal["never", "probed", "counted"]

_NAME = re.compile(r"[a-z][a-z0-9_]*(==\d[\w.!+]*)?")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_ENDING = re.compile(r"\.\w+")


class RecordError(FqbenchError):
    """A backend's record cannot be used: which field, and what it must be."""


class EngineLibrary(Protocol):
    """What builds engines from ONNX models for one GPU."""

    @property
    def name(self) -> str:
        """As it is called in keys and sentences."""

    @property
    def ahead(self) -> bool:
        """Whether it builds engines for a GPU that is not there."""

    def missing(self) -> str | None:
        """Why it cannot be used, and what to do; None where it is installed."""

    def version(self) -> str | None:
        """Version of what is installed; None where nothing is."""

    def write_engine(
        self, model: Path, folder: Path, *, target: Capability | None, timing_cache: Path | None
    ) -> None:
        """Build the engine of the ONNX file ``model``; write it and what it computes.

        For ``target``, or the GPU at hand where it is None. ``timing_cache``: where kernels' times
        are kept for the next engine. Imports native code. Raises StepError.
        """


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How a backend that loads no ONNX gets the form it loads.

    ``step``: the name of the step that converts, in the store. ``write``: a function ``(model:
    ONNX file, folder)`` that writes the form, ``check``: one ``(model: ModelProto, folder,
    feeds)`` that raises StepError where that computes something else. ``libraries``: what the
    result depends on, beside what every step does.
    """

    step: str
    write: Reference
    check: Reference
    open_sizes: bool
    libraries: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_references(self, "write", "check")


@dataclass(frozen=True, kw_only=True)
class Int8Form:
    """An INT8 form of models: how it is chosen, written, and delivered.

    ``device``: what it is made for. ``timed``: whether it can be timed beside FP32 while layers
    are chosen. ``float16``: whether what stays in float is float16, as far as calibration images
    allow it. ``files``: what ``fqbench compress`` delivers, by name; ``setting``: what
    to call so that the runtime runs them in INT8, None: nothing. ``libraries``: those that the
    written form depends on. ``executed_by``: the backend that runs its files on the CPU, operator
    by operator, where they are checked; None: it runs them itself.

    ``lower``: the function that writes it, see ``fqbench.backends.lowering.Lower``.
    ``variants``: what makes ``fqbench.backends.variants.Variants`` of a model, its quantization
    and a folder for files. ``roundings``: where a student rounds, see
    ``fqbench.quantize.roundings.FindRoundings``.
    """

    device: Literal["cpu", "gpu"]
    timed: bool
    float16: bool
    files: tuple[str, ...]
    setting: str | None
    libraries: tuple[str, ...]
    executed_by: str | None
    lower: Reference
    variants: Reference
    roundings: Reference

    def __post_init__(self) -> None:
        _check_references(self, "lower", "variants", "roundings")


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A backend.

    ``name``: what cells, options and specs call it. ``label``: what reports call it.
    ``distributions``: libraries whose versions decide what it computes and how fast, by the name
    that keys and results have for them; the packages that each may be installed by, the first
    that is there counts. ``loads``: endings of the files that it loads, whose size and digest are
    its model's.

    ``environment``: the name of the environment (``fqbench.environments``) that holds it and what
    its conversion and its INT8 form need.
    ``runtime``: the class that supports, prepares and runs, see ``fqbench.backends.base.Runtime``.
    ``import_runtime``: a function without arguments that imports the runtime, as loading a model
    does at first: what that takes in time and memory is no model's.
    ``side_by_side``: whether its runners may be called from any thread, several at a time.
    ``bare_call``: a function ``(runner, feed)`` that returns the runtime's own call as its
    documentation shows it, which fqbench's is held to; None: there is none that is shorter.
    ``throughput``: how it runs as many inferences a second as it can, see
    ``fqbench.backends.throughput.FindWays``; None: that is not measured.
    ``time_nodes``: the function that times each node of a model by the runtime's own profile, see
    ``fqbench.backends.node_times.TimeNodes``; None: the runtime has none.
    ``snippet``: the function that writes how a user loads its models without fqbench, see
    ``fqbench.backends.snippet.WriteSnippet``.

    ``conversion``: how FP32 becomes what it loads; None: it loads the canonical ONNX graph.
    ``engine``: what builds, of that, an engine for the GPU at hand; None: it needs none.
    ``float16``: a function ``(model, feeds)`` that returns the float16 form; None: it has no FP16.

    ``saturates``: whether sums of 8-bit products may saturate in its kernels: ``never``;
    ``probed``, on CPUs where a small layer's do; ``counted``: then it is also counted in which
    layers of an ONNX file they do.

    ``int8``: its INT8 form; the name of the backend whose form it runs, and whose margins hold;
    None: it has no INT8.
    """

    name: str
    label: str
    distributions: Mapping[str, tuple[str, ...]]
    loads: tuple[str, ...]
    environment: str
    runtime: Reference
    import_runtime: Reference
    side_by_side: bool
    bare_call: Reference | None
    throughput: Reference | None
    time_nodes: Reference | None
    snippet: Reference
    conversion: Conversion | None
    engine: EngineLibrary | None
    float16: Reference | None
    saturates: Saturation
    int8: Int8Form | str | None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RecordError(
                f"name is {self.name!r}, expected lower-case letters, digits and underscores"
            )
        if not self.loads or not all(map(_ENDING.fullmatch, self.loads)):
            raise RecordError(f"loads is {self.loads!r}, expected endings such as '.onnx'")
        if self.saturates not in ("never", "probed", "counted"):
            raise RecordError(f"saturates is {self.saturates!r}, expected never, probed or counted")
        if not isinstance(self.int8, Int8Form | str | None):
            raise RecordError("int8 is no Int8Form, no name of a backend, and not None")
        if self.int8 is None and self.saturates != "never":
            raise RecordError(f"saturates is {self.saturates!r}, expected never without INT8")
        _check_references(
            self,
            "runtime",
            "import_runtime",
            "bare_call",
            "throughput",
            "time_nodes",
            "snippet",
            "float16",
        )


def resolve(reference: Reference) -> Any:
    """What ``reference`` names, imported."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _check_references(record: object, *names: str) -> None:
    """Raise RecordError where a field is no reference; None where the field may be None."""
    for field in fields(record):  # type: ignore[arg-type]
        if field.name in names:
            value, optional = getattr(record, field.name), "None" in str(field.type)
            if not (value is None and optional) and not _REFERENCE.fullmatch(str(value)):
                raise RecordError(f"{field.name} is {value!r}, expected 'module:attribute'")
