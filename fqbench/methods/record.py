"""``Method``: all that the rest of fqbench knows of what makes INT8 models.

Each method has one record, in its own folder, which is found as an entry point (``registry``).
Its ``plan`` makes steps and runs none; the functions of steps import what is heavy when they run.

No field has a default: what is left out would be another method's behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from fqbench.backends import label_of, lowering_target, runtime
from fqbench.counting import verb
from fqbench.environments import Missing, find
from fqbench.environments.environment import make_command
from fqbench.environments.requirements import normalized
from fqbench.precisions.own import INT8_FILE

if TYPE_CHECKING:
    from fqbench.measure.cell_loading import Reading
    from fqbench.spec.model import ModelSpec
    from fqbench.spec.quantization import Calibration
    from fqbench.steps import Needs, Step
    from fqbench.steps.job import Function
    from fqbench.steps.step import Input

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ModelImages(Protocol):
    """The images of a model that quantization may see: none of them is evaluated."""

    @property
    def calibration(self) -> tuple[Path, ...]:
        """Those that calibrate."""

    def unseen(self, chosen: Calibration, key: str) -> tuple[Path, ...]:
        """Those that the spec's ``key`` chooses. Raises UsageError where some are evaluated."""


class ModelPlan(Protocol):
    """What a method may ask of the graph of a model's steps.

    It is a ``fqbench.pipeline.graph.ModelGraph``; what is asked for twice is the same node.
    """

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""

    @property
    def images(self) -> ModelImages:
        """Its images."""

    @property
    def canonical(self) -> Step:
        """The canonical ONNX graph, ``model.onnx``, in float32."""

    @property
    def ranges(self) -> Step:
        """Ranges and weights' codes from the calibration images: that graph, and its record
        ``quantization.json``, a ``fqbench.quantize.record.Quantization``."""

    @property
    def decode(self) -> Input:
        """The spec's ``decode``, as a step's input."""

    @property
    def judging(self) -> tuple[Path, ...]:
        """Some of the images that calibrate, which tell what quantizing costs."""

    def allowed_drop(self, backend: str) -> float | None:
        """Points that its INT8 model may lose on ``backend`` by its margin; None without one."""

    def fp32(self, backend: str) -> Step:
        """The FP32 model in the form that ``backend`` loads."""

    def given(self, backend: str) -> Step:
        """The spec's own INT8 file as ``backend`` loads it."""

    def choice_for(self, backend: str, quantization: Step) -> Step:
        """Which layers of ``quantization`` stay in float on ``backend``: ``choice.json``, a
        ``fqbench.tune.choice.Choice``."""

    def read(self, images: tuple[Path, ...], reading: Reading | None = None) -> dict[str, Input]:
        """The inputs ``images`` and ``reading`` of a step whose job is a ``ReadingJob``."""

    def step(
        self,
        name: str,
        inputs: Mapping[str, Input],
        libraries: tuple[str, ...],
        images: int = ...,
        *,
        function: Function | None = ...,
        needs: Needs = ...,
        of: object = ...,
        depends_on_cpu: bool = ...,
    ) -> Step:
        """A step of this model, see ``fqbench.steps.Step``.

        One ``name`` is one function, and the store's folder: choose one that nobody else does.
        ``of`` distinguishes steps of one name and one ``backend`` among ``inputs``.
        """


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method.

    ``name``: what options, specs and rows call it. ``label``: what reports call it. ``offered``:
    whether it can be asked for; else a precision of its own has its models. ``learns``: whether it
    learns from the model's answers, so that it does nothing for random weights: models with
    synthetic ones get the default method instead. ``quick``: whether it takes seconds or a few
    minutes, so that ``fqbench best`` tries it unasked. ``images``: from a spec, those that it needs
    beside what calibrates, by the key that chooses them: they are looked for before any work.

    ``backends``: whose INT8 models it makes, by name, those included that run their form; None:
    every one's. ``environment``: the name of the environment (``fqbench.environments``) that its
    steps run in. ``plan``: from the plan of a model and the backend, the step that makes it.
    ``packages``: the distributions that its environment has to hold beside what it is for: without
    them the method is not supported, instead of failing amid a run.
    ``yields``: what that step writes. ``quantization``: a graph ``model.onnx`` and its record
    ``quantization.json``; layers are chosen and lowered for the backend, as for fqbench's own.
    ``model``: what the backend loads, with the inputs of the canonical graph; nothing is chosen,
    and the runtime is asked for what INT8 files of users need.
    """

    name: str
    label: str
    offered: bool
    learns: bool
    quick: bool
    images: Callable[[ModelSpec], Mapping[str, Calibration]]
    backends: tuple[str, ...] | None
    environment: str
    yields: Literal["quantization", "model"]
    plan: Callable[[ModelPlan, str], Step]
    packages: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {self.name!r}, expected lower-case letters, digits and underscores"
            )
        if self.yields not in ("quantization", "model"):
            raise ValueError(f"yields is {self.yields!r}, expected quantization or model")
        for field in ("images", "plan"):
            if not callable(getattr(self, field)):
                raise TypeError(f"{field} is no function")

    def makes_for(self, backend: str) -> bool:
        """Whether the INT8 models of ``backend``, or of the one whose form it runs, are its."""
        made_for = self.backends
        return made_for is None or not {backend, lowering_target(backend)}.isdisjoint(made_for)

    def unsupported(self, backend: str, device: str) -> str | None:
        """Why it makes no INT8 model for ``backend`` on ``device``; None where it does."""
        if not self.makes_for(backend):
            made_for = ", ".join(map(label_of, self.backends or ()))
            return f"{self.label} makes INT8 models for {made_for} only"
        missing = self.missing()
        if missing is not None:
            return missing
        if self.yields == "model":
            return runtime(backend).supports(device, INT8_FILE.runtime_name)
        return None

    def missing(self) -> str | None:
        """What its steps need that is not on this machine, and how to get it; None where all is."""
        there = find(self.environment)
        if isinstance(there, Missing):
            return there.reason
        lacking = [name for name in self.packages if normalized(name) not in there.versions]
        if not lacking:
            return None
        are = verb(len(lacking), "is", "are")
        missing = f"{self.label} needs {' and '.join(lacking)}, which {are} not installed"
        if there.where == "made":
            return f"{missing} in the environment {there.name}: run {make_command(there.name)}"
        return f"{missing}: run '{there.executable} -m pip install {' '.join(lacking)}'"
