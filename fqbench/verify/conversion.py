"""Rewritten models run beside their sources: what computes something else is refused.

Imports native code, paddle where a Paddle program is run: call it in a child process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from fqbench import isolate
from fqbench.errors import FqbenchError, StepError
from fqbench.graph.executor import open_session, session_options
from fqbench.hardware import usable_cores
from fqbench.verify.difference import EXACT, ROUNDED, Bound, Difference, Outputs, worst
from fqbench.verify.graphs import (
    first_of,
    first_operator,
    jumping,
    shared_names,
    showing,
    with_weight,
)

Feed = Sequence[NDArray[Any]]
"""The tensors of a model's inputs, in its order."""

Run = Callable[[Feed], Outputs]

LAST = 200
"""Characters of what a runtime says: the reason stands at the end."""

SEARCH_S = 300.0
"""Seconds that the search for the first operator that differs may take."""


def graph_runner(model: onnx.ModelProto | Path, *, optimized: bool, pairs: bool = True) -> Run:
    """What runs an ONNX graph by ONNX Runtime, as it is measured or operator by operator.

    ``pairs``: whether quantize pairs become integer kernels.
    """
    options = session_options(usable_cores(), fuse_pairs=pairs)
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model if isinstance(model, Path) else model.SerializeToString()
    session = open_session(source, options)
    names = [value.name for value in session.get_inputs()]
    return lambda feed: session.run(None, dict(zip(names, feed, strict=True)))


def program_runner(folder: Path) -> Run:
    """What runs the Paddle program in ``folder`` as its FP32 is measured."""
    from fqbench.backends.paddle.runtime import PaddleInference

    prepared = PaddleInference().prepare(
        folder, device="cpu", precision="fp32", threads=usable_cores()
    )
    return prepared.run


@dataclass(frozen=True)
class Conversion:
    """What was ``made`` from a ``source``, in words, and what both may differ by."""

    made: str
    source: str
    bound: Bound = EXACT

    def check(
        self,
        model: onnx.ModelProto,
        wanted: Run,
        load: Callable[[], Run],
        feeds: Sequence[Feed],
        search: Callable[[], str | None],
    ) -> None:
        """Raise StepError where what ``load`` returns does not answer ``feeds`` as ``wanted`` does.

        ``model``: the graph that tells the names of the outputs. ``search`` finds the first
        operator that differs; None where it cannot.
        """
        try:
            different = compared(model, wanted, load(), feeds, self.bound)
        except Exception as error:  # the runtimes' own exceptions share no base class
            reason = " ".join(str(error).split())[-LAST:]
            raise StepError(f"{self.made} cannot be run: {reason}") from error
        if different is not None:
            operator = search()
            first = "" if operator is None else f"; the first operator that differs is {operator}"
            raise StepError(
                f"{self.made} computes something else than {self.source}: {different.text}{first}"
            )


CANONICAL = Conversion("the canonical graph", "the model's file")
EXPORTED = Conversion("the ONNX graph that paddle2onnx wrote", "the Paddle model")
HALF = Conversion("the float16 form", "the float32 graph", ROUNDED)
PROGRAM = Conversion("the Paddle program", "the ONNX graph it was made from")


def compared(
    model: onnx.ModelProto,
    wanted: Run,
    found: Run,
    feeds: Sequence[Feed],
    bound: Bound = EXACT,
) -> Difference | None:
    """The output in which ``found`` differs most from ``wanted``; None where none does too much.

    ``model``: the graph that tells the names of the outputs, and which of them jump.
    """
    names = [value.name for value in model.graph.output]
    answers = [(wanted(feed), found(feed)) for feed in feeds]
    for _, other in answers:
        if len(other) != len(names):
            text = f"it has {len(other)} outputs instead of {len(names)}"
            return Difference("", float("inf"), text)
    of_wanted, of_found = zip(*answers, strict=True)
    return worst(names, of_wanted, of_found, jumping(model.graph), bound)


def bound_of(model: onnx.ModelProto) -> Bound:
    """What two ways to run ``model`` may differ by: more where it rounds."""
    rounds = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    half = any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer)
    return ROUNDED if rounds or half else EXACT


def check_canonical(source: onnx.ModelProto, model: onnx.ModelProto, feeds: Sequence[Feed]) -> None:
    """Raise StepError where ``model``, the canonical graph of ``source``, computes another one.

    It is run as it is measured, so that ONNX Runtime's own optimizations are checked, too.
    """
    replace(CANONICAL, bound=bound_of(model)).check(
        model,
        graph_runner(source, optimized=False),
        lambda: graph_runner(model, optimized=True),
        feeds,
        lambda: first_of_graph(source, model, feeds),
    )


def first_of_graph(
    source: onnx.ModelProto,
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    bound: Bound = EXACT,
) -> str | None:
    """The first operator of ``model`` that writes another value than ``source`` by the same name.

    Both are run operator by operator; None where what differs has no name in common.
    """
    names = shared_names(source, model)
    if not names:
        return None
    jumps = jumping(model.graph)
    one = graph_runner(showing(source, list(names.values())), optimized=False)
    other = graph_runner(showing(model, list(names)), optimized=False)
    wrong: set[str] = set()
    for feed in feeds:
        for name, wanted, found in zip(names, one(feed), other(feed), strict=True):
            if worst([name], [[wanted]], [[found]], jumps, bound) is not None:
                wrong.add(name)
    return first_of(model, wrong)


def check_exported(
    program: Path,
    params: Path,
    exported: onnx.ModelProto,
    feeds: Sequence[Feed],
    bound: Bound = EXACT,
) -> None:
    """Raise StepError where ``exported`` does not compute what the Paddle ``program`` does.

    ``bound``: what their outputs may differ by.
    """
    from fqbench.backends.paddle.runtime import as_written

    replace(EXPORTED, bound=bound).check(
        exported,
        as_written(program, params, usable_cores()),
        lambda: graph_runner(exported, optimized=False),
        feeds,
        lambda: None,
    )


def check_half(model: onnx.ModelProto, half: onnx.ModelProto, feeds: Sequence[Feed]) -> None:
    """Raise StepError where ``half``, the float16 form of ``model``, computes another function.

    ONNX Runtime executes it on the CPU, operator by operator where these know float16.
    """
    HALF.check(
        model,
        graph_runner(model, optimized=True),
        lambda: graph_runner(half, optimized=True),
        feeds,
        lambda: first_of_graph(model, half, feeds, ROUNDED),
    )


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
                "fqbench.verify.conversion:search_program",
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
    from fqbench.convert.paddle_program import onnx_to_paddle

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
