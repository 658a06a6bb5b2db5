"""Steps that write what a backend loads, from one quantization."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from fqbench.isolate import Report
from fqbench.pipeline.steps.common import (
    GRAPH,
    ReadingJob,
    load_graph,
    save_graph,
    write_json,
)
from fqbench.steps import Job


class Lower(ReadingJob):
    """``quantization``: the folder of a graph and its record; ``choice``: that of the choice.

    With ``everything`` no layer stays in float that the record does not keep there. ``images``:
    what the result is checked on; for TensorRT, what tells which tensors do not fit float16.
    """

    quantization: Path
    choice: Path
    everything: bool
    cores: int


def lower_onnxruntime(job: Lower, report: Report) -> None:
    """Write the INT8 form of the graph for ONNX Runtime."""
    from fqbench.lower.onnxruntime import layer_counts, lower

    model, quantization, choice = _quantized(job)
    lowered = lower(
        model, quantization, float_silu=choice.float_silu, unsigned=frozenset(choice.unsigned)
    )
    save_graph(lowered, job.folder)
    _check(job, "onnxruntime", model, lowered, report)
    _write_plan(job.folder, *layer_counts(lowered))


def lower_paddle(job: Lower, report: Report) -> None:
    """Write the INT8 form of the graph for Paddle Inference."""
    import onnx

    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.lower.paddle import write
    from fqbench.lower.paddle_layers import layers
    from fqbench.lower.symmetric import symmetric
    from fqbench.quantize.adapt import adapted
    from fqbench.quantize.graph import Graph

    model, quantization, _ = _quantized(job)
    names = [layer.name for layer in layers(model, quantization)]
    rounded = adapted(model, quantization, names)
    chosen = layers(rounded, quantization)
    with tempfile.TemporaryDirectory() as program:
        source = Path(program) / "source.onnx"
        onnx.save(rounded, str(source))
        onnx_to_paddle(source, Path(program))
        count = write(Path(program), chosen, job.folder)
    _check(job, "paddle", model, symmetric(model, quantization), report)
    _write_plan(job.folder, len(Graph(model).layers()), count)


def lower_tensorrt(job: Lower, report: Report) -> None:
    """Write the INT8 form of the graph for TensorRT.

    Its float parts are in float16, as far as the images allow it.
    """
    from fqbench.lower.half import half, large_tensors
    from fqbench.lower.onnxruntime import layer_counts
    from fqbench.lower.tensorrt import lower

    model, quantization, _ = _quantized(job)
    lowered = lower(model, quantization)
    large = large_tensors(model, job.feeds(report))
    save_graph(half(lowered, large), job.folder)
    _check(job, None, model, lowered, report)
    _write_plan(job.folder, *layer_counts(lowered))


class Half(ReadingJob):
    """``canonical``: the folder of the canonical graph.

    What comes near to the end of float16 on one of ``images`` stays in float32; the result is
    checked on them.
    """

    canonical: Path


def half(job: Half, report: Report) -> None:
    """Write the float16 form of the canonical graph."""
    from fqbench.lower import half
    from fqbench.verify.conversion import check_half

    model = load_graph(job.canonical)
    feeds = list(job.feeds(report))
    written = half.half(model, half.large_tensors(model, feeds))
    check_half(model, written, feeds)
    save_graph(written, job.folder)


class Engine(Job):
    """``model``: the folder of the graph. ``gpu``: the GPU it is built on, by name, capability and
    driver; or ``target``: the capability of GPUs that it is built for without one.

    ``library``: name and version of TensorRT. ``timing_cache``: a file of kernel times that is
    reused, None for none.
    """

    model: Path
    backend: str
    library: tuple[str, str]
    gpu: tuple[str, tuple[int, int], str] | None
    target: tuple[int, int] | None
    timing_cache: Path | None


def engine(job: Engine, report: Report) -> None:
    """Build the engine of a graph; write it, and what it computes."""
    import onnx

    from fqbench.backends.tensorrt import inspect
    from fqbench.backends.tensorrt.backend import NAMES
    from fqbench.backends.tensorrt.engine import ENGINE, build
    from fqbench.backends.tensorrt.library import LIBRARIES
    from fqbench.backends.tensorrt.network import layer_names

    library = LIBRARIES[job.backend]
    content = (job.model / GRAPH).read_bytes()
    built = build(library, content, target=job.target, timing_cache=job.timing_cache)
    (job.folder / ENGINE).write_bytes(built)
    graph = onnx.load_model_from_string(content).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = {
        "inputs": [value.name for value in graph.input if value.name not in weights],
        "outputs": [value.name for value in graph.output],
    }
    (job.folder / NAMES).write_text(json.dumps(names))
    found = inspect.layers(library, built)
    inspect.write(job.folder, inspect.layer_types(found, layer_names(graph)), found)


def _check(job: Lower, backend: str | None, model: Any, emulation: Any, report: Report) -> None:
    """Run what was written beside ``model``, and beside ``emulation``.

    ``backend``: what runs it; None where ONNX Runtime executes it operator by operator.
    """
    from fqbench.backends import runtime
    from fqbench.verify.int8 import check_int8

    runner = runtime(backend or "onnxruntime").prepare(
        job.folder,
        device="cpu",
        precision="fp32" if backend is None else "int8",
        threads=job.cores,
    )
    check_int8(model, emulation, runner.run, list(job.feeds(report)))


def _quantized(job: Lower) -> tuple[Any, Any, Any]:
    """The graph of a quantization, its record as the choice applies it, and the choice."""
    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice

    record = Quantization.read(job.quantization / "quantization.json")
    choice = Choice.read(job.choice / "choice.json")
    if job.everything:
        choice = replace(choice, float_layers=record.float_layers)
    return load_graph(job.quantization), choice.applied(record), choice


def _write_plan(folder: Path, layers: int, quantized: int) -> None:
    """Record how many layers were quantized, for the check of what the runtime ran."""
    write_json(folder, "plan.json", {"convolutions": layers, "quantized": quantized})
