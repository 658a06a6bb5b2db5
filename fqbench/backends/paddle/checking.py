"""A Paddle program run beside the graph that it was made from, as it is measured.

Imports native code, paddle where a program is run: call it in a child process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from pydantic import TypeAdapter

from fqbench import isolate
from fqbench.backends.paddle.runtime import PaddleInference
from fqbench.convert.paddle_program import onnx_to_paddle
from fqbench.errors import FqbenchError
from fqbench.hardware import usable_cores
from fqbench.jsonvalue import Json
from fqbench.message import Message, read_answer
from fqbench.verify.conversion import Conversion, Feed, Run, compared, graph_runner
from fqbench.verify.graphs import first_operator, with_weight

PROGRAM = Conversion("the Paddle program", "the ONNX graph it was made from")

SEARCH_S = 300.0
"""Seconds that the search for the first operator that differs may take."""

_NAME: TypeAdapter[str | None] = TypeAdapter(str | None)


class ProgramSearch(Message):
    """The ``folder`` of ``model.onnx``, and how many ``feeds`` are in numbered files there."""

    folder: Path
    feeds: int


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
            name = "the search for the operator"
            found = isolate.call(
                "fqbench.backends.paddle.checking:search_program",
                ProgramSearch(folder=Path(scratch), feeds=len(feeds)).to_json(),
                timeout_s=SEARCH_S,
                name=name,
            )
            return read_answer(_NAME, found, name)
        except FqbenchError:
            return None


def search_program(arguments: Mapping[str, Json], report: isolate.Report) -> str | None:
    """The first operator whose Paddle program differs, by ``arguments``, a ``ProgramSearch``.

    The graph is cut behind fewer and fewer operators, each time converted and run again.
    """
    search = ProgramSearch.model_validate(arguments)
    model = onnx.load(str(search.folder / "model.onnx"))
    feeds = []
    for number in range(search.feeds):
        with np.load(search.folder / f"{number}.npz") as stored:
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
