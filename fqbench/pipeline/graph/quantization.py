"""From the canonical graph to INT8 forms."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fqbench.backends import backend as backend_of
from fqbench.backends import backends, int8_form, lowering_target
from fqbench.cells import Cell
from fqbench.errors import StepError
from fqbench.graph.executor import RUNNING
from fqbench.machine import versions
from fqbench.margins import Margins
from fqbench.methods import DEFAULT, Method
from fqbench.methods import method as method_of
from fqbench.pipeline import steps
from fqbench.pipeline.graph.conversion import Conversions
from fqbench.pipeline.images import Images
from fqbench.precisions.own import INT8
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.steps import Maybe, Needs, Step, Unkeyed
from fqbench.steps.step import Input, needed
from fqbench.tasks.registry import metrics

if TYPE_CHECKING:
    from typing_extensions import Self

THREADS = 1
"""Of the runtime whose speed decides: as latency is reported by default."""


class Quantizations(Conversions):
    """INT8 models of one model, by one method: quantized, layers chosen, lowered."""

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        images: Images,
        margins: Margins,
        method: str = DEFAULT,
        *,
        allow_code: bool = False,
        caches: Path,
    ) -> None:
        super().__init__(spec, facts, images, allow_code=allow_code, caches=caches)
        self._margins = margins
        self.method = _taught_by(method, spec)
        self.point: int | None = None

    def of(self, cell: Cell) -> Self:
        """The graph with INT8 models by the method of ``cell``: this one if it names none."""
        return self if cell.method is None else self.by(cell.method)

    def by(self, method: str) -> Self:
        """The same graph with INT8 models by ``method``.

        Both have the nodes in common that do not depend on it.
        """
        other = copy(self)
        other.method = _taught_by(method, self.spec)
        return other

    def at_point(self, number: int) -> Self:
        """The same graph whose INT8 models are a point of ``tradeoff``: they run as they are,
        whether or not FP32 is faster."""
        other = copy(self)
        other.point = number
        return other

    @property
    def quantizer(self) -> Method:
        """The method that makes its INT8 models."""
        return method_of(self.method)

    @cached_property
    def ranges(self) -> Step:
        """Ranges and weights' codes, from the calibration images."""
        images = self.images.calibration
        return self.step(
            "calibrate",
            {
                "canonical": self.canonical,
                **self.read(images),
                "offline": self.spec.offline.model_dump(mode="json"),
                "cpu": self.spec.cpu,
                "probes": self._probes(*backends()),
            },
            RUNNING,
            len(images),
            needs=Needs(),
        )

    def allowed_drop(self, backend: str) -> float | None:
        """Points that INT8 by its method may lose on ``backend``; None where it has no margin."""
        margin = self._margins.for_cell(self.spec, backend, self.method)
        return None if margin is None else margin.drop

    def quantization(self, backend: str) -> Step:
        """Weights and ranges, as the method makes them.

        Raises StepError where the method makes whole models, so that nothing is quantized here.
        """
        if self.quantizer.yields != "quantization":
            raise StepError(
                f"{self.quantizer.label} makes whole INT8 models, so no layers are chosen and none"
                " is lowered: ask for another method"
            )
        return self.quantizer.plan(self, lowering_target(backend))

    def tradeoff(self, backend: str) -> Step:
        """What each layer costs and saves in INT8 on ``backend``, and points between that and FP32.

        Raises StepError as ``quantization``.
        """
        backend = lowering_target(backend)
        quantization = self.quantization(backend)
        judging = self._judging(backend, quantization)
        environment = backend_of(backend).environment
        return self.step(
            "tradeoff",
            {**judging, "choice": self.choice_for(backend, quantization), "threads": THREADS},
            tuple(versions(environment)),
            len(self.judging),
            needs=Needs(environment, alone="in phases"),
            of=quantization,
        )

    def choice(self, backend: str) -> Step:
        """Which layers are in float on ``backend``, and why."""
        if self.point is not None:
            traded = self.tradeoff(backend)
            inputs: dict[str, Input] = {"tradeoff": traded, "number": self.point}
            of = (traded, self.point)
            return self.step("tradeoff_point", inputs, (), of=of, depends_on_cpu=False)
        return self.choice_for(backend, self.quantization(backend))

    def choice_for(self, backend: str, quantization: Step) -> Step:
        """Which layers of ``quantization`` are in float, by some of the calibration images."""
        backend = lowering_target(backend)
        drop = self.allowed_drop(backend)
        limit = None
        if drop is not None and self.spec.weights == "trained":
            limit = metrics()[self.spec.metric].error_within(drop)
        form, environment = int8_form(backend), backend_of(backend).environment
        return self.step(
            "choose",
            {
                **self._judging(backend, quantization),
                "program": self.fp32(backend),
                "limit": limit,
                "threads": THREADS if form.timed else None,
                "fastest": self.spec.speed == "measured",
            },
            # What is timed may depend on all of them.
            tuple(versions(environment)) if form.timed else (*RUNNING, *form.libraries),
            len(self.judging),
            needs=Needs(environment, alone="in phases" if form.timed else "never"),
            of=(backend, quantization, limit),
        )

    def lowered(self, backend: str, *, everything: bool = False) -> Step:
        """The INT8 form; of ``everything`` whatever the choice keeps in float."""
        backend = lowering_target(backend)
        form = int8_form(backend)
        return self.step(
            f"lower_{backend}",
            {
                "quantization": self.quantization(backend),
                "choice": self.choice(backend),
                "everything": everything,
                "backend": Unkeyed(backend),
                **(self._overflowing if form.float16 else self._checked_on),
            },
            form.libraries,
            function=steps.lower,
            needs=Needs(environment=backend_of(backend).environment, cores=1),
            of=(self.choice(backend), everything),
        )

    def quantizing(self, backend: str) -> tuple[Step, ...]:
        """The steps from the canonical graph to the INT8 form.

        Where the method makes a quantization, the last three make it, choose layers and lower.
        """
        if self.quantizer.yields == "model":
            return self._making(self.quantizer.plan(self, backend), backend)
        made = self._making(self.quantization(backend), lowering_target(backend))
        return (*made, self.choice(backend), self.lowered(backend))

    def _making(self, last: Step, backend: str) -> tuple[Step, ...]:
        """The steps that ``last`` is made by, itself behind them, without those of FP32."""
        before, found = {self.canonical, self.fp32(backend)}, dict[Step, None]()

        def add(step: Step) -> None:
            for each in (node for value in step.inputs.values() for node in needed(value)):
                if isinstance(each, Step) and each not in before and each not in found:
                    add(each)
            found[step] = None

        add(last)
        return tuple(found)

    def _judging(self, backend: str, quantization: Step) -> dict[str, Input]:
        """Inputs of a step that judges ``quantization`` as ``backend`` runs it."""
        return {
            "quantization": quantization,
            "canonical": self.canonical,
            **self.read(self.judging),
            "decode": self.decode,
            "backend": backend,
            "cpu": self.spec.cpu,
            "probes": self._probes(backend),
        }

    def probe(self, backend: str) -> Step:
        """What the integer kernels of ``backend`` do on this CPU."""
        used = backend_of(backend)
        libraries = (*RUNNING, "paddlepaddle", *used.distributions)
        needs = Needs(environment=used.environment, cores=1)
        return self.step("probe", {"backend": backend}, libraries, needs=needs)

    def is_probed(self, backend: str) -> bool:
        """Whether it depends on the CPU what the integer kernels of ``backend`` compute here."""
        if backend_of(backend).saturates == "never":
            return False
        return Cell(self.model, backend, "cpu", INT8.name).unsupported is None

    def _probes(self, *backends: str) -> tuple[Maybe, ...] | None:
        """What kernels do here, where it matters to the CPUs that the model is made for.

        None where the products of no kernel saturate on any CPU.
        """
        if all(backend_of(backend).saturates == "never" for backend in backends):
            return None
        if self.spec.cpu == "any":
            return ()
        return tuple(each for backend in backends for each in self._probe(backend))

    def _probe(self, backend: str) -> tuple[Maybe, ...]:
        return (Maybe(self.probe(backend)),) if self.is_probed(backend) else ()


def _taught_by(method: str, spec: ModelSpec) -> str:
    """``method``, or the default one where random weights answer nothing that is worth learning."""
    return DEFAULT if method_of(method).learns and spec.weights == "synthetic" else method
