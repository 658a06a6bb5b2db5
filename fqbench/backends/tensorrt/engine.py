"""An engine from an ONNX model, for the GPU of this machine or, ahead of time, for another.

Float32 is float32: TF32, which keeps ten bits of a factor's mantissa, is off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from fqbench.backends.record import Capability
from fqbench.backends.tensorrt import best_effort_cache, inspect
from fqbench.backends.tensorrt.library import Library
from fqbench.backends.tensorrt.log import last_errors, listener
from fqbench.backends.tensorrt.network import layer_names, parse
from fqbench.errors import StepError
from fqbench.graph.graph import Graph

ENGINE = "model.engine"
NAMES = "bindings.json"
"""Names of ``inputs`` and ``outputs`` in the model's order, beside the engine."""

WORKSPACE = 2 << 30
"""Bytes of device memory that a layer may use while it runs: more than vision models gain by."""


@dataclass(frozen=True)
class Sizes:
    """Shapes of an input with free sizes: the least, the one to be fast for, the largest."""

    least: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


def build(
    library: Library,
    model: bytes,
    *,
    target: Capability | None = None,
    timing_cache: Path | None = None,
    sizes: Mapping[str, Sizes] | None = None,
) -> bytes:
    """The engine of ``model``, an ONNX file's bytes, for ``target``; None: the GPU at hand.

    ``timing_cache``: where TensorRT keeps what it measured, for the next engine. ``sizes``: of each
    input that leaves a size free. Loads native code: call it in a child process. Raises StepError.
    """
    if target is not None and not library.ahead:
        raise StepError(
            f"{library.name} builds engines on the GPU that runs them only, not for compute"
            f" capability {_shown(target)}"
        )
    module = library.load()
    log = listener(module)
    builder = module.Builder(log)
    network = parse(module, library, builder, log, model)
    config = builder.create_builder_config()
    _aim(module, library, config, target)
    config.clear_flag(module.BuilderFlag.TF32)
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED
    config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, WORKSPACE)
    _set_sizes(library, builder, config, network, sizes or {})
    cache = _use_cache(config, timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise StepError(
            f"{library.name} {library.version()} builds no engine of the model:"
            f" {last_errors(log.errors)}"
        )
    if cache is not None and timing_cache is not None:
        best_effort_cache.keep(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def write_engine(
    library: Library,
    model: Path,
    folder: Path,
    target: Capability | None,
    timing_cache: Path | None,
) -> None:
    """See ``fqbench.backends.record.EngineLibrary``."""
    content = model.read_bytes()
    built = build(library, content, target=target, timing_cache=timing_cache)
    (folder / ENGINE).write_bytes(built)
    graph = Graph(onnx.load_model_from_string(content))
    names = {"inputs": graph.inputs, "outputs": graph.outputs}
    (folder / NAMES).write_text(json.dumps(names))
    found = inspect.layers(library, built)
    inspect.write(folder, inspect.layer_types(found, layer_names(graph.model.graph)), found)


def _aim(module: Any, library: Library, config: Any, target: Capability | None) -> None:
    """Tell ``config`` for which GPU to build."""
    if not library.ahead:
        return
    name = "CURRENT" if target is None else f"SM{target[0]}{target[1]}"
    found = getattr(module.ComputeCapability, name, None)
    if found is None and target is not None:
        raise StepError(
            f"{library.name} {library.version()} builds no engine for compute capability"
            f" {_shown(target)}"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(found, 0)


def _shown(target: Capability) -> str:
    return ".".join(map(str, target))


def _set_sizes(
    library: Library, builder: Any, config: Any, network: Any, sizes: Mapping[str, Sizes]
) -> None:
    """Give the inputs that leave sizes free the range of these."""
    free = [
        network.get_input(index)
        for index in range(network.num_inputs)
        if -1 in tuple(network.get_input(index).shape)
    ]
    if not free:
        return
    profile = builder.create_optimization_profile()
    for tensor in free:
        if tensor.name not in sizes:
            raise StepError(
                f"input {tensor.name!r} of the model leaves sizes free {tuple(tensor.shape)}:"
                f" {library.name} needs to be told which it is to be fast for"
            )
        chosen = sizes[tensor.name]
        profile.set_shape(tensor.name, chosen.least, chosen.usual, chosen.largest)
    config.add_optimization_profile(profile)


def _use_cache(config: Any, path: Path | None) -> Any:
    """Let the builder use what the file at ``path`` holds, where that fits; None without one."""
    if path is None:
        return None
    for content in (best_effort_cache.read(path), b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return cache
    return None
