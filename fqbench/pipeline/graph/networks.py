"""What each cell loads."""

from __future__ import annotations

from collections.abc import Mapping

from fqbench.backends import backend as backend_of
from fqbench.backends import int8_form
from fqbench.backends.record import Capability
from fqbench.cells import Cell
from fqbench.graph.executor import RUNNING
from fqbench.measure.cell_loading import Reading
from fqbench.methods import Method
from fqbench.methods import method as method_of
from fqbench.methods.given import METHOD as GIVEN
from fqbench.pipeline import decisions
from fqbench.pipeline.engines import engine_for, engine_here
from fqbench.pipeline.graph.quantization import Quantizations
from fqbench.precisions import CHOSEN
from fqbench.precisions import precision as precision_of
from fqbench.precisions.own import INT8, INT8_FILE
from fqbench.steps import ArtifactNode, Step


class Networks(Quantizations):
    """Of one model, the file or engine of each cell."""

    def network(self, cell: Cell) -> ArtifactNode:
        """The model of ``cell`` in the form that its backend loads, or builds its engine from."""
        return precision_of(cell.precision).network(self, cell)

    def int8(self, cell: Cell) -> ArtifactNode:
        """The INT8 model of ``cell`` as the method makes it, or FP32 where that is faster."""
        backend = cell.backend
        if self.quantizer.yields == "model":
            return self.quantizer.plan(self, backend)
        options = {decisions.INT8: self.lowered(backend), decisions.FP32: self.fp32(backend)}
        return self._faster(cell, options)

    def made_by(self, cell: Cell) -> Method | None:
        """The method of quantization that makes the model of ``cell``; None where none does."""
        name = precision_of(cell.precision).method
        if name == CHOSEN:
            return self.quantizer
        return GIVEN if name == GIVEN.name else None

    def runtime_precision(self, cell: Cell) -> str:
        """The precision that ``cell``'s runtime is asked for, for what is loaded."""
        made = self.made_by(cell)
        if made is not None and made.yields == "model":
            return INT8_FILE.runtime_name
        return precision_of(cell.precision).runtime_name

    def reading_of(self, cell: Cell) -> Reading:
        """How an image becomes the inputs of the model of ``cell``."""
        return self.int8_reading if self.made_by(cell) is GIVEN else self.reading

    def unsupported(self, cell: Cell) -> str | None:
        """Why ``cell`` cannot run here, or has no model; None where it can."""
        asked = None if cell.method is None else method_of(cell.method)
        if asked is not None and asked.learns and self.spec.weights == "synthetic":
            return f"{asked.label} learns from a model's answers, and random weights have none"
        return unsupported(cell, self.of(cell).quantizer)

    def artifact(self, cell: Cell, batch: int = 1) -> ArtifactNode:
        """What ``cell``'s backend loads to run ``batch`` images at once.

        That may be an engine for the GPU of this machine. Raises NoGpu where there is none.
        """
        network = self._of_batch(cell, batch)
        needs_engine = backend_of(cell.backend).engine is not None
        return engine_here(self, cell.backend, network, self._caches) if needs_engine else network

    def engine(self, cell: Cell, capability: Capability, batch: int = 1) -> Step:
        """The engine of ``cell`` for any GPU of ``capability``, built without one."""
        return self.engine_of(cell.backend, self._of_batch(cell, batch), capability)

    def engine_of(self, backend: str, network: ArtifactNode, capability: Capability) -> Step:
        """The engine of ``network`` for any GPU of ``capability``, built without one."""
        return engine_for(self, backend, network, capability)

    def _of_batch(self, cell: Cell, batch: int) -> ArtifactNode:
        one = self.network(cell)
        if batch == 1:
            return one
        return self.step(
            "batched",
            {"model": one, "batch": batch, **self._checked_on},
            RUNNING,
            batch,
            of=(one, batch),
        )

    def _may_be_fp32(self, cell: Cell) -> bool:
        """Whether FP32 runs in an INT8 cell where it is faster.

        Where forms are not timed (on GPUs) it never does: FP16 beside it is what INT8 has to be
        faster than.
        """
        if cell.precision != INT8.name or self.spec.speed != "measured" or self.point is not None:
            return False
        return self.quantizer.yields == "quantization" and int8_form(cell.backend).timed

    def _faster(self, cell: Cell, options: Mapping[str, ArtifactNode]) -> ArtifactNode:
        """INT8, or FP32 where that is faster."""
        if not self._may_be_fp32(cell):
            return options[decisions.INT8]
        choice = self.choice(cell.backend)
        return self.select("INT8 or FP32", choice, decisions.int8_or_fp32, options)


def unsupported(cell: Cell, chosen: Method) -> str | None:
    """Why ``cell`` cannot run here, or has no model where INT8 is made by the ``chosen`` method."""
    if cell.unsupported is not None or precision_of(cell.precision).method != CHOSEN:
        return cell.unsupported
    return chosen.unsupported(cell.backend, cell.device)
