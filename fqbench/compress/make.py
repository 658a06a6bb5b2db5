"""The model of one backend: made, written, and what there is to report about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fqbench.artifacts import Artifact
from fqbench.backends import backend as backend_of
from fqbench.backends import label_of
from fqbench.compress.deliver import deliver, files_of, remove_outputs
from fqbench.compress.job import CompressionJob, why_not_made
from fqbench.errors import StepError
from fqbench.methods.distillation import METHOD as DISTILLATION
from fqbench.methods.distillation.history import History
from fqbench.pipeline.decisions import MAX_INT8_TIME_RATIO, choice_of
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.written import seconds_of
from fqbench.quantize.calibrate import KEPT_BY_SPEC
from fqbench.steps import ArtifactNode
from fqbench.tasks.registry import metrics


@dataclass(frozen=True)
class BuildResult:
    """What became of one backend's model. Sizes in 10^6 bytes.

    ``points``: about how many are lost, by the error on calibration images. ``ratio``: how many
    times as fast as FP32 it is here, None where it was not timed. ``seconds``: what quantizing
    took, training included. ``reason``: why there is none. ``safe_layers`` and
    ``unsigned_layers`` have other weights, so that none saturates; ``weight_errors`` are the
    estimated errors with each form of weights. Of a model that its method made whole nothing is
    known of layers and errors: these are None.
    """

    backend: str
    reason: str | None = None
    layers: int | None = 0
    int8_layers: int | None = 0
    float_layers: Mapping[str, str] | None = None
    error: float | None = None
    points: float | None = None
    fp32_mb: float | None = None
    int8_mb: float | None = None
    ratio: float | None = None
    safe_layers: int = 0
    unsigned_layers: int = 0
    weight_errors: Mapping[str, float] | None = None
    seconds: float | None = None
    training: History | None = None
    files: tuple[Path, ...] = ()

    @property
    def pays(self) -> bool:
        """Whether it is faster than FP32 here, by more than noise."""
        return self.ratio is None or 1.0 / self.ratio < MAX_INT8_TIME_RATIO


def make(job: CompressionJob, backend: str, folder: Path) -> BuildResult:
    """Make the model for ``backend`` and write it into ``folder``.

    A failure is reported, not raised. Raises UsageError where nothing can be written.
    """
    if (absent := why_not_made(backend)) is not None:
        remove_outputs(backend, folder)
        return BuildResult(backend, reason=absent)
    try:
        make_model = _whole if job.method.makes_whole_models else _lowered
        made, node = make_model(job, backend)
        source = _with_own_input(job, backend, node)
    except StepError as error:
        remove_outputs(backend, folder)
        return BuildResult(backend, reason=str(error))
    files = deliver(source.path, backend, folder)
    return replace(made, int8_mb=_megabytes(files), files=files)


def _with_own_input(job: CompressionJob, backend: str, model: ArtifactNode) -> Artifact:
    """``model`` as the user's file takes its image, where what ``backend`` loads can be so."""
    made = job.made(model)
    if not all(path.suffix == ".onnx" for path in files_of(made.path, backend)):
        return made
    return job.made(job.graphs[0].with_own_input(model))


def _whole(job: CompressionJob, backend: str) -> tuple[BuildResult, ArtifactNode]:
    """The model as its method makes it, without its files; and its node. Raises StepError."""
    graph = job.graphs[0]
    steps = graph.quantizing(backend)
    made = [job.made(step) for step in steps]
    model = made[-1]
    if not files_of(model.path, backend):
        raise StepError(
            f"{job.method.quantizer.label} wrote nothing that {label_of(backend)} loads"
            f" ({', '.join(backend_of(backend).loads)})"
        )
    result = BuildResult(
        backend,
        layers=None,
        int8_layers=None,
        fp32_mb=_megabytes(files_of(job.made(graph.fp32(backend)).path, backend)),
        seconds=seconds_of(made),
    )
    return result, steps[-1]


def _lowered(job: CompressionJob, backend: str) -> tuple[BuildResult, ArtifactNode]:
    """The model that is lowered from a quantization, as ``_whole``."""
    graph = _leaving_int8(job, backend)
    steps = graph.quantizing(backend)
    *_, quantized, chosen, lowered = made = [job.made(step) for step in steps]
    choice, fp32, plan = choice_of(chosen), job.made(graph.fp32(backend)), _plan(lowered)
    quantized_anyway = [name for name in job.asked if name not in choice.float_layers]
    if quantized_anyway:
        raise StepError(
            f"{job.asked[quantized_anyway[0]]}, and the method {job.method.name} quantizes"
            f" {quantized_anyway[0]} all the same: take the key out, or use another method"
        )
    taught = job.method.quantizer is DISTILLATION
    result = BuildResult(
        backend,
        layers=plan["convolutions"],
        int8_layers=plan["quantized"],
        float_layers={
            name: job.asked.get(name, reason) if reason == KEPT_BY_SPEC else reason
            for name, reason in {**plan["float_layers"], **choice.float_layers}.items()
        },
        error=choice.error,
        points=metrics()[job.spec.metric].points_lost(choice.error),
        fp32_mb=_megabytes(files_of(fp32.path, backend)),
        ratio=1 / choice.slowdown if choice.slowdown is not None else None,
        safe_layers=choice.in_integers(choice.safe),
        unsigned_layers=choice.in_integers(choice.unsigned),
        weight_errors=dict(choice.weights),
        seconds=seconds_of(made),
        training=_history(quantized.path) if taught else None,
    )
    return result, steps[-1]


def _leaving_int8(job: CompressionJob, backend: str) -> ModelGraph:
    """The first graph that leaves a layer in INT8. Raises StepError where none does."""
    for graph in job.graphs:
        if _plan(job.made(graph.lowered(backend)))["quantized"] > 0:
            return graph
    limit = job.spec.margins[0]
    raise StepError(
        f"no layer is left to run in INT8, where {limit.drop:g} points may be lost, as estimated"
        f" ({limit.reason})"
    )


def _plan(lowered: Artifact) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(lowered.file("plan.json").read_text())
    return plan


def _history(folder: Path) -> History:
    return History.of(json.loads((folder / "history.json").read_text()))


def _megabytes(files: Sequence[Path]) -> float:
    return round(sum(path.stat().st_size for path in files) / 1e6, 3)
