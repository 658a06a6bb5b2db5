"""Steps that write what a backend loads, from one quantization."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fqbench.backends import backend, int8_form, runtime
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.hardware import usable_cores
from fqbench.isolate import Report
from fqbench.pipeline.steps.common import Arguments, read_feeds, timed


@timed
def lower(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for ``backend`` into ``folder``.

    It is run on ``images``, which also say what float16 holds where some of it is that.
    """
    from fqbench.verify.int8 import check_int8

    folder, form = Path(arguments["folder"]), int8_form(arguments["backend"])
    model, quantization, choice = _quantized(arguments)
    feeds = list(read_feeds(arguments, report))
    written = resolve(form.lower)(
        model,
        quantization,
        folder,
        feeds=feeds,
        float_silu=choice.float_silu,
        unsigned=frozenset(choice.unsigned),
    )
    runner = runtime(form.executed_by or arguments["backend"]).prepare(
        folder,
        device="cpu",
        precision="int8" if form.executed_by is None else "fp32",
        threads=usable_cores(),
    )
    check_int8(model, written.emulation, runner.run, feeds)
    _write_plan(folder, written.layers, written.quantized)


def half(arguments: Arguments, report: Report) -> None:
    """Write the float16 form of the graph in ``canonical`` for ``backend`` into ``folder``.

    What comes near to the end of float16 on one of ``images`` stays in float32. It is checked on
    them.
    """
    import onnx

    from fqbench.verify.conversion import check_half

    used = backend(arguments["backend"])
    if used.float16 is None:
        raise StepError(f"{used.label} runs no FP16")
    model = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    feeds = list(read_feeds(arguments, report))
    written = resolve(used.float16)(model, feeds)
    check_half(model, written, feeds)
    onnx.save(written, str(Path(arguments["folder"]) / "model.onnx"))


@timed
def engine(arguments: Arguments, report: Report) -> None:
    """Build the engine of the graph in ``model``; write it and what it computes into ``folder``."""
    library = backend(arguments["backend"]).engine
    target, cache = arguments.get("target"), arguments.get("timing_cache")
    assert library is not None  # The parent asks for an engine where there is one.
    library.write_engine(
        Path(arguments["model"], "model.onnx"),
        Path(arguments["folder"]),
        target=None if target is None else (target[0], target[1]),
        timing_cache=None if cache is None else Path(cache),
    )


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
