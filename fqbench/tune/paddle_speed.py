"""How long forms of a graph take in INT8 on Paddle Inference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

import onnx

from fqbench.measure.latency import time_interleaved
from fqbench.measure.pinning import pinned
from fqbench.quantize.observe import Feed
from fqbench.quantize.record import Quantization
from fqbench.tune.speed import EFFORT


def latencies(
    model: onnx.ModelProto, records: Mapping[str, Quantization], feed: Feed, threads: int
) -> dict[str, float]:
    """Median milliseconds of ``model`` lowered by each of ``records``, timed in turns.

    Biases are as in ``model``: that they are corrected changes no time. Imports paddle.
    """
    from fqbench.backends.paddle import PaddleInference
    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.lower.paddle import write
    from fqbench.lower.paddle_layers import layers

    calls = {}
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "program"
        program.mkdir()
        onnx.save(model, str(program / "source.onnx"))
        onnx_to_paddle(program / "source.onnx", program)
        for number, (text, record) in enumerate(records.items()):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            write(program, layers(model, record), folder)
            runner = PaddleInference().prepare(
                folder, device="cpu", precision="int8", threads=threads
            )
            calls[text] = partial(runner.run, feed)
        with pinned(threads):
            timing = time_interleaved(calls, EFFORT)
    return {
        text: 1000 * median(time for block in blocks for time in block)
        for text, blocks in timing.blocks.items()
    }
