"""From a model's file to its float forms."""

from __future__ import annotations

from functools import cached_property

from fqbench.backends import backend as backend_of
from fqbench.backends import unversioned
from fqbench.convert.environment import PROGRAMS
from fqbench.environments import HERE
from fqbench.errors import StepError
from fqbench.graph.executor import RUNNING
from fqbench.pipeline import steps
from fqbench.pipeline.graph.inputs import HALF_IMAGES, ModelInputs, dumped, files_of
from fqbench.pipeline.nodes import CHECKED
from fqbench.steps import ArtifactNode, Needs, Step, Unkeyed
from fqbench.steps.step import Input


class Conversions(ModelInputs):
    """Of one model: the canonical graph, and what backends load of it in FP32 and FP16."""

    @cached_property
    def canonical(self) -> Step:
        """The canonical ONNX graph of the source."""
        paddle = ("paddlepaddle",) if self.spec.source_format != "onnx" else ()
        needs = Needs(environment=PROGRAMS if paddle else HERE, cores=1)
        return self.step(
            "canonical",
            {
                "source": self.source,
                "input_shape": list(self.spec.graph_shape),
                "own": None if self.own_reading == self.reading else dumped(self.own_reading),
                **self._checked_on,
            },
            (*RUNNING, "paddle2onnx", *paddle),
            needs=needs,
        )

    def fp32(self, backend: str) -> Step:
        """The FP32 model in the form that ``backend`` loads, or builds its engine from."""
        used = backend_of(unversioned(backend))
        if used.conversion is None:
            return self.canonical
        return self.step(
            used.conversion.step,
            {"canonical": self.canonical, "backend": Unkeyed(used.name), **self._checked_on},
            (*RUNNING, *used.conversion.libraries),
            function=steps.converted,
            needs=Needs(environment=used.environment, cores=1),
            of=used.name,
        )

    def half(self, backend: str) -> Step:
        """The canonical graph in float16, as ``backend`` writes it.

        Raises StepError where it has no FP16.
        """
        used = backend_of(backend)
        if used.float16 is None:
            raise StepError(f"{used.label} runs no FP16")
        return self.step(
            "half",
            {"canonical": self.canonical, "writer": used.float16, **self._overflowing},
            RUNNING,
            HALF_IMAGES,
            needs=Needs(environment=used.environment, cores=1),
            of=used.float16,
        )

    def given(self, backend: str) -> Step:
        """The spec's own INT8 file as ``backend`` loads it."""
        spec, used = self.spec.of_int8_file, backend_of(unversioned(backend))
        if spec is None:
            raise ValueError(f"the spec of {self.spec.name} names no INT8 file")
        environment = used.environment if spec.source_format == "onnx" else PROGRAMS
        return self.step(
            "given_int8",
            {
                "source": files_of(spec, self._facts.int8),
                "backend": used.name,
                **self.read(self.images.checking(CHECKED), self.int8_reading),
            },
            (*RUNNING, "paddlepaddle", "paddle2onnx"),
            needs=Needs(environment=environment, cores=1),
            of=used.name,
        )

    def with_own_input(self, model: ArtifactNode) -> ArtifactNode:
        """``model``, an ONNX graph, as the model's file takes its image: what is deployed."""
        if not self.takes_its_own_input:
            return model
        own = dumped(self.own_reading)
        return self.step(
            "own_input", {"model": model, "own": own, **self._checked_on}, RUNNING, of=model
        )

    @cached_property
    def multiply_adds(self) -> Step:
        """Multiply-adds of one inference of the canonical graph."""
        inputs: dict[str, Input] = {
            "canonical": self.canonical,
            "input_shape": list(self.spec.input_shape),
        }
        return self.step("multiply_adds", inputs, ("onnx",), depends_on_cpu=False)
