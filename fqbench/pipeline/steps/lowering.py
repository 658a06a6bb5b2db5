"""Steps that write what a backend loads, from one quantization."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from fqbench.isolate import Report
from fqbench.machine import usable_cores
from fqbench.pipeline.steps.common import Arguments, read_feeds, timed


@timed
def lower_onnxruntime(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for ONNX Runtime into ``folder``."""
    import onnx

    from fqbench.backends.onnxruntime.lower import layer_counts, lower

    folder = Path(arguments["folder"])
    model, quantization, choice = _quantized(arguments)
    lowered = lower(
        model, quantization, float_silu=choice.float_silu, unsigned=frozenset(choice.unsigned)
    )
    onnx.save(lowered, str(folder / "model.onnx"))
    _check(arguments, "onnxruntime", model, lowered, report)
    _write_plan(folder, *layer_counts(lowered))


@timed
def lower_paddle(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for Paddle Inference into ``folder``."""
    import onnx

    from fqbench.backends.paddle.layers import layers
    from fqbench.backends.paddle.lower import write
    from fqbench.backends.paddle.symmetric import symmetric
    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.graph.graph import Graph
    from fqbench.quantize.adapt import adapted

    folder = Path(arguments["folder"])
    model, quantization, _ = _quantized(arguments)
    names = [layer.name for layer in layers(model, quantization)]
    rounded = adapted(model, quantization, names)
    chosen = layers(rounded, quantization)
    with tempfile.TemporaryDirectory() as program:
        source = Path(program) / "source.onnx"
        onnx.save(rounded, str(source))
        onnx_to_paddle(source, Path(program))
        count = write(Path(program), chosen, folder)
    _check(arguments, "paddle", model, symmetric(model, quantization), report)
    _write_plan(folder, len(Graph(model).layers()), count)


@timed
def lower_tensorrt(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for TensorRT into ``folder``.

    Its float parts are in float16, as far as ``images`` allow it.
    """
    import onnx

    from fqbench.backends.onnxruntime.lower import layer_counts
    from fqbench.backends.tensorrt.half import half, large_tensors
    from fqbench.backends.tensorrt.lower import lower

    folder = Path(arguments["folder"])
    model, quantization, _ = _quantized(arguments)
    lowered = lower(model, quantization)
    large = large_tensors(model, read_feeds(arguments, report))
    onnx.save(half(lowered, large), str(folder / "model.onnx"))
    _check(arguments, None, model, lowered, report)
    _write_plan(folder, *layer_counts(lowered))


def half(arguments: Arguments, report: Report) -> None:
    """Write the float16 form of the graph in ``canonical`` into ``folder``.

    What comes near to the end of float16 on one of ``images`` stays in float32. It is checked on
    them.
    """
    import onnx

    from fqbench.backends.tensorrt import half
    from fqbench.verify.conversion import check_half

    model = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    feeds = list(read_feeds(arguments, report))
    written = half.half(model, half.large_tensors(model, feeds))
    check_half(model, written, feeds)
    onnx.save(written, str(Path(arguments["folder"]) / "model.onnx"))


@timed
def engine(arguments: Arguments, report: Report) -> None:
    """Build the engine of the graph in ``model``; write it and what it computes into ``folder``."""
    import onnx

    from fqbench.backends.tensorrt import inspect
    from fqbench.backends.tensorrt.engine import ENGINE, build
    from fqbench.backends.tensorrt.library import LIBRARIES
    from fqbench.backends.tensorrt.network import layer_names
    from fqbench.backends.tensorrt.runtime import NAMES

    folder, library = Path(arguments["folder"]), LIBRARIES[arguments["backend"]]
    content = Path(arguments["model"], "model.onnx").read_bytes()
    target, cache = arguments.get("target"), arguments.get("timing_cache")
    built = build(
        library,
        content,
        target=None if target is None else (target[0], target[1]),
        timing_cache=None if cache is None else Path(cache),
    )
    (folder / ENGINE).write_bytes(built)
    graph = onnx.load_model_from_string(content).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = {
        "inputs": [value.name for value in graph.input if value.name not in weights],
        "outputs": [value.name for value in graph.output],
    }
    (folder / NAMES).write_text(json.dumps(names))
    found = inspect.layers(library, built)
    inspect.write(folder, inspect.layer_types(found, layer_names(graph)), found)


def _check(
    arguments: Arguments, backend: str | None, model: Any, emulation: Any, report: Report
) -> None:
    """Run what was written into ``folder`` beside ``model``, and beside ``emulation``.

    ``backend``: what runs it; None where ONNX Runtime executes it operator by operator.
    """
    from fqbench.backends import runtime
    from fqbench.verify.int8 import check_int8

    folder, feeds = Path(arguments["folder"]), list(read_feeds(arguments, report))
    runner = runtime(backend or "onnxruntime").prepare(
        folder,
        device="cpu",
        precision="fp32" if backend is None else "int8",
        threads=usable_cores(),
    )
    check_int8(model, emulation, runner.run, feeds)


def _quantized(arguments: Arguments) -> tuple[Any, Any, Any]:
    """The graph of a quantization, its record as the choice applies it, and the choice.

    With ``everything`` no layer stays in float that the record does not keep there.
    """
    import onnx

    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice

    folder = Path(arguments["quantization"])
    record = Quantization.read(folder / "quantization.json")
    model = onnx.load(str(folder / "model.onnx"))
    choice = Choice.read(Path(arguments["choice"]) / "choice.json")
    if arguments["everything"]:
        choice = replace(choice, float_layers=record.float_layers)
    return model, choice.applied(record), choice


def _write_plan(folder: Path, layers: int, quantized: int) -> None:
    """Record how many layers were quantized, for the check of what the runtime ran."""
    plan = {"convolutions": layers, "quantized": quantized}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, sort_keys=True))
