"""An engine from its bytes, and why it cannot be loaded."""

from __future__ import annotations

from typing import Any

from fqbench.backends.tensorrt.log import last_errors
from fqbench.errors import StepError

AGAIN = "build it again on this machine"

REASONS = (
    (
        ("incompatible device", "compute capability", "is not supported by this", "hardware"),
        f"was built for another GPU: {AGAIN}",
    ),
    (
        ("version", "serialization"),
        f"was built by another version of the library: {AGAIN}, with the one that is installed",
    ),
)
"""What a library says of an engine that it does not load, in lower case, and what that means."""


def load(module: Any, name: str, plan: bytes, log: Any) -> tuple[Any, Any]:
    """Runtime and engine of ``plan``; ``name`` is the library's. Raises StepError."""
    try:
        runtime = module.Runtime(log)
    # The bindings' own error, which no module names: there is no object.
    except (TypeError, RuntimeError) as error:
        raise StepError(
            f"{name} does not start on this GPU ({said(log, error)}): see what nvidia-smi says"
        ) from error
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise StepError(f"the engine {meaning(log.errors)} ({name}: {last_errors(log.errors)})")
    return runtime, engine


def execution_context(name: str, engine: Any, log: Any) -> Any:
    """What runs ``engine``. Raises StepError."""
    context = engine.create_execution_context()
    if context is None:
        raise StepError(
            f"{name} cannot make the engine ready to run ({last_errors(log.errors)}): as a rule it "
            "lacks memory of the GPU, so end what else uses the GPU, or take a smaller batch"
        )
    return context


def meaning(errors: list[str]) -> str:
    """What is wrong with an engine of which a library said ``errors``, and what to do."""
    text = " ".join(errors).lower()
    for words, reason in REASONS:
        if "magic tag" not in text and any(word in text for word in words):
            return reason
    return f"is damaged, or no engine: {AGAIN}"


def said(log: Any, error: Exception) -> str:
    """The library's own words, or those of ``error`` where it has none."""
    return last_errors(log.errors) if log.errors else " ".join(str(error).split())
