"""A Paddle program run beside the graph that it was made from, as it is measured.

Imports native code, paddle where a program is run: call it in a child process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fqbench import isolate
from fqbench.backends.paddle.runtime import PaddleInference
from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.errors import FqbenchError
from fqbench.hardware import usable_cores
from fqbench.verify.conversion import Conversion, Feed, Run, compared, graph_runner
from fqbench.verify.graphs import first_operator, with_weight

PROGRAM = Conversion("the Paddle program", "the ONNX graph it was made from")

SEARCH_S = 300.0
"""Seconds that the search for the first operator that differs may take."""


def program_runner(folder: Path) -> Run:
    """What runs the Paddle program in ``folder`` as its FP32 is measured."""
    prepared = PaddleInference().prepare(
        folder, device="cpu", precision="fp32", threads=usable_cores()
    )
    return prepared.run


def check_program(model: onnx.ModelProto, folder: Path, feeds: Sequence[Feed]) -> None:
    """Raise StepError where the Paddle program in ``folder`` does not compute what ``model`` does.

    ``model``: the canonical graph that it was made of.
    """
    PROGRAM.check(
        model,
        graph_runner(model, optimized=True),
        lambda: program_runner(folder),
        feeds,
        lambda: _first_of_program(model, feeds),
    )


def _first_of_program(model: onnx.ModelProto, feeds: Sequence[Feed]) -> str | None:
    """The first operator of ``model`` that its Paddle program computes otherwise, if found.

    In a process of its own: some of the programs that are tried crash.
    """
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, f"{scratch}/model.onnx")
        for number, feed in enumerate(feeds):
            np.savez(f"{scratch}/{number}.npz", *feed)
        try:
            found: Any = isolate.call(
                "fqbench.backends.paddle.checking:search_program",
                {"folder": scratch, "feeds": len(feeds)},
                timeout_s=SEARCH_S,
                name="the search for the operator",
            )
        except FqbenchError:
            return None
        return None if found is None else str(found)


def search_program(arguments: dict[str, Any], report: isolate.Report) -> str | None:
    """The first operator of ``model.onnx`` in ``folder`` whose Paddle program differs.

    The graph is cut behind fewer and fewer operators, each time converted and run again.
    """
    folder = Path(arguments["folder"])
    model = onnx.load(str(folder / "model.onnx"))
    feeds = []
    for number in range(arguments["feeds"]):
        with np.load(folder / f"{number}.npz") as stored:
            feeds.append([stored[name] for name in stored.files])

    def differs(part: onnx.ModelProto) -> bool:
        part = with_weight(part)
        with tempfile.TemporaryDirectory() as made:
            source = Path(made) / "source.onnx"
            onnx.save(part, str(source))
            onnx_to_paddle(source, Path(made))
            wanted, found = graph_runner(part, optimized=True), program_runner(Path(made))
            return compared(part, wanted, found, feeds) is not None

    return first_operator(model, differs)
