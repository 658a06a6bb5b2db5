"""Paddle inference models as programs that can be rewritten. Imports paddle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEM = "model"
"""Paddle inference models are written as ``model.pdmodel`` and ``model.pdiparams``."""

CONVOLUTIONS = ("conv2d", "depthwise_conv2d")
"""Paddle's names of the convolutions that are quantized."""


@dataclass(frozen=True)
class Program:
    """A loaded program, with the names of its inputs and its output variables."""

    graph: Any
    feeds: tuple[str, ...]
    fetches: tuple[Any, ...]
    executor: Any

    @property
    def block(self) -> Any:
        """The one block that inference programs have."""
        return self.graph.global_block()


def load(folder: Path, stem: str = STEM) -> Program:
    """Load the model in ``folder``, its weights into Paddle's global scope."""
    import paddle

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    graph, feeds, fetches = paddle.static.load_inference_model(str(folder / stem), executor)
    block = graph.global_block()
    return Program(graph, tuple(feeds), tuple(_unscaled(block, f) for f in fetches), executor)


def save(program: Program, folder: Path, stem: str = STEM) -> None:
    """Write the model into ``folder``."""
    import paddle

    paddle.static.save_inference_model(
        str(folder / stem),
        [program.block.var(name) for name in program.feeds],
        list(program.fetches),
        program.executor,
        program=program.graph,
    )
    # Paddle puts a scale by one after each output, which copies it.
    path = folder / f"{stem}.pdmodel"
    saved = paddle.static.Program.parse_from_string(path.read_bytes())
    block = saved.global_block()
    for fetch in [op for op in block.ops if op.type == "fetch"]:
        (name,) = fetch.input("X")
        fetch._rename_input(name, _unscaled(block, block.var(name)).name)
    path.write_bytes(saved.desc.serialize_to_string())


def index_of(block: Any, op: Any) -> int:
    """Position of ``op`` now; it moves with every insertion and removal."""
    return next(i for i, other in enumerate(block.ops) if other.desc == op.desc)


def producer_of(block: Any, name: str) -> Any:
    """The first operator that writes the variable ``name``; None where there is none."""
    return next((op for op in block.ops if name in op.output_arg_names), None)


def readers_of(block: Any, name: str) -> list[Any]:
    """The operators that read the variable ``name``."""
    return [op for op in block.ops if name in op.input_arg_names]


def digest(weight: NDArray[np.float32]) -> str:
    """SHA-256 of a weight's float32 bytes, which conversion keeps."""
    return hashlib.sha256(np.ascontiguousarray(weight, dtype=np.float32).tobytes()).hexdigest()


def _unscaled(block: Any, fetch: Any) -> Any:
    """What is fetched, without the scale by one that Paddle puts after it on every save.

    A second one of the same name would read and write one variable: a cycle for PaddleSlim.
    The variable goes, too, since another output of another type may get its name.
    """
    op = producer_of(block, fetch.name)
    if op is None or op.type != "scale" or not fetch.name.startswith("save_infer_model/"):
        return fetch
    source = block.var(op.input("X")[0])
    block._remove_op(index_of(block, op))
    block._remove_var(fetch.name)
    return source
