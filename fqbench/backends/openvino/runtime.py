"""OpenVINO on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fqbench.backends.base import Runner, Tensor, unknown
from fqbench.backends.openvino.backend import HINTS, SETTINGS
from fqbench.backends.openvino.executed import executed
from fqbench.errors import StepError
from fqbench.hardware import instruction_sets, kernels_of

MODEL = "model.onnx"
IR_MODEL = "model.xml"
"""In OpenVINO's own format, as other toolkits write it."""

CAPABILITIES = {"bf16": "BF16", "f16": "FP16"}
"""What OpenVINO says that a CPU can, by hints."""

INSTRUCTIONS = {"bf16": ("avx512_bf16", "amx_bf16"), "f16": ("avx512_fp16", "amx_fp16")}
"""Instruction sets, one of which OpenVINO computes by, as Linux calls them; by hints."""

OTHER_DEVICES = (
    "fqbench runs OpenVINO on the CPU only: its plugins for Intel's GPUs and NPUs are not measured"
)

LAST = 200
"""Characters of what OpenVINO says: the reason stands at the end."""


class OpenVino:
    """Runs ``model.onnx`` of an artifact, or ``model.xml`` with its weights in ``model.bin``."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``."""
        if device != "cpu":
            return OTHER_DEVICES
        hint = HINTS.get(precision)
        if hint is None:
            return unknown(precision)
        if hiding := kernels_of()["hidden"]:
            return (
                f"whether OpenVINO computes in {CAPABILITIES[hint]} is not known where"
                f" {', '.join(hiding)} hides instruction sets"
            )
        known = instruction_sets()
        return None if any(name in known for name in INSTRUCTIONS[hint]) else _lacking(hint)

    def prepare(self, folder: Path, *, device: str, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        hint = HINTS.get(precision, "f32")
        return runner(compiled(model_in(folder), threads, hint))


def import_runtime() -> None:
    """Import OpenVINO."""
    import openvino  # noqa: F401


def model_in(folder: Path) -> Path:
    """The file of an artifact that is loaded."""
    own = folder / IR_MODEL
    return own if own.is_file() else folder / MODEL


def compiled(
    model: Path | bytes, threads: int, hint: str = "f32", *, streams: int = 1, timed: bool = False
) -> Any:
    """A model's file or bytes compiled for ``threads`` threads, ``streams`` inferences at a time.

    ``timed``: whether each node is timed. Raises StepError where it cannot be loaded, or the CPU
    does not compute in ``hint``.
    """
    settings = {
        **SETTINGS,
        "NUM_STREAMS": streams,
        # The process is bound to its cores; OpenVINO would bind threads to others.
        "ENABLE_CPU_PINNING": False,
        "PERF_COUNT": timed,
    }
    return _compiled(model, threads, hint, settings)


def compiled_for_throughput(model: Path, threads: int, hint: str) -> Any:
    """A model's file compiled to run as many inferences a second as ``threads`` threads can.

    Raises as ``compiled``.
    """
    return _compiled(model, threads, hint, {**SETTINGS, "PERFORMANCE_HINT": "THROUGHPUT"})


def _compiled(model: Path | bytes, threads: int, hint: str, settings: Mapping[str, Any]) -> Any:
    import openvino as ov

    core = ov.Core()
    needed = CAPABILITIES.get(hint)
    if needed is not None and needed not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise StepError(_lacking(hint))
    asked = {**settings, "INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
    try:
        return core.compile_model(core.read_model(model), "CPU", asked)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-LAST:]
        raise StepError(f"OpenVINO cannot load the model: {reason}") from error


def runner(model: Any) -> Runner:
    """What runs a compiled model, one inference at a time."""
    return _Request(model)


class _Request:
    """An inference request; its input tensors are the caller's memory, and not copied."""

    def __init__(self, model: Any) -> None:
        self.model, self.request = model, model.create_infer_request()
        self._given: tuple[Tensor, ...] = ()

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        known = len(inputs) == len(self._given)
        if not known or any(a is not b for a, b in zip(inputs, self._given, strict=True)):
            self._give(inputs)
        return list(self.request.infer().values())

    def int8_convolutions(self) -> int:
        return sum(node.is_int8_layer for node in executed(self.model))

    def _give(self, inputs: Sequence[Tensor]) -> None:
        set_inputs(self.request, inputs)
        # While the request has their memory.
        self._given = tuple(inputs)


def set_inputs(request: Any, inputs: Sequence[Tensor]) -> None:
    """Let ``request`` read the memory of ``inputs``, which have to stay where they are."""
    import openvino as ov

    for place, tensor in enumerate(inputs):
        given = ov.Tensor(tensor, shared_memory=tensor.flags.c_contiguous)
        request.set_input_tensor(place, given)


def bare_call(prepared: Runner, feed: Sequence[Tensor]) -> Callable[[], object]:
    """OpenVINO's own call, as its documentation shows it: tensors are set before."""
    model: Any = prepared.model  # type: ignore[attr-defined]
    request = model.create_infer_request()
    set_inputs(request, feed)
    return lambda: request.infer()


def _lacking(hint: str) -> str:
    return f"this CPU has no instructions for {CAPABILITIES[hint]}, which OpenVINO would emulate"
