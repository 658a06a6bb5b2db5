"""An engine from its bytes, and why it cannot be loaded."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fqbench.backends.tensorrt.kernels import FAILURES, Kernels
from fqbench.backends.tensorrt.log import last_errors, short
from fqbench.errors import StepError

AGAIN = "build it again on this machine"

REASONS = (
    (("incompatible device", "compute capability"), "was built for another GPU: {again}"),
    (("magic", "blobsize", "buffersize", "empty"), "is damaged, or of another version: {again}"),
    (
        ("version tag", "library version", "serialization version"),
        "was built by another version of the library: {again}",
    ),
    (("cudaerror", "cuda error"), "cannot be put on this GPU: see what nvidia-smi says"),
)
"""What a library says of an engine that it does not load, in lower case, and what that means."""


def load(module: Any, name: str, plan: bytes, log: Any, again: str = AGAIN) -> tuple[Any, Any]:
    """Runtime and engine of ``plan``; ``name`` is the library's.

    ``again`` tells how to build it anew. Raises StepError.
    """
    try:
        runtime = module.Runtime(log)
    # The bindings' own error, which no module names: there is no object.
    except (TypeError, RuntimeError) as error:
        cause = describe_error(log, error)
        raise StepError(
            f"{name} does not start on this GPU ({cause}): see what nvidia-smi says"
        ) from error
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        cause = log.errors[0] if log.errors else ""
        reason = meaning(cause).format(again=again)
        raise StepError(f"the engine {reason} ({name}: {short(cause) or 'no reason'})")
    return runtime, engine


def execution_context(name: str, engine: Any, log: Any, kernels: Kernels) -> Any:
    """What runs ``engine``, with the ``kernels`` that are kept of it. Raises StepError."""
    context = None
    if kernels.config is not None:
        with suppress(*FAILURES):
            context = engine.create_execution_context(kernels.config)
    # What fails for the kernels that are kept may do without them.
    if context is None:
        context = engine.create_execution_context()
    if context is None:
        raise StepError(
            f"{name} cannot make the engine ready to run ({last_errors(log.errors)}): as a rule it "
            "lacks memory of the GPU, so end what else uses the GPU, or take a smaller batch"
        )
    return context


def meaning(cause: str) -> str:
    """What is wrong with an engine, and what to do, by the first error that a library told of it.

    Those behind it are of what it tried to give back. ``{again}`` stands for how to build it anew.
    """
    told = cause.lower()
    for words, reason in REASONS:
        if any(word in told for word in words):
            return reason
    return "is damaged, or no engine: {again}"


def describe_error(log: Any, error: Exception) -> str:
    """The library's own words, or those of ``error`` where it has none."""
    return last_errors(log.errors) if log.errors else " ".join(str(error).split())
