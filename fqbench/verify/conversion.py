"""Rewritten models run beside their sources: what computes something else is refused.

Imports native code, paddle where a Paddle program is run: call it in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.kinds import is_half
from fqbench.graph.ordering import head_of, in_order, unordered
from fqbench.hardware import usable_cores
from fqbench.verify.difference import EXACT, ROUNDED, Bound, Difference, Outputs, worst
from fqbench.verify.graphs import (
    first_of,
    jumping,
    shared_names,
    showing,
)

Feed = Sequence[NDArray[Any]]
"""The tensors of a model's inputs, in its order."""

Run = Callable[[Feed], Outputs]

LAST = 200
"""Characters of what a runtime says: the reason stands at the end."""


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

        ``model``: the graph that has the names of the outputs. ``search`` finds the first
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
SMOOTHED = Conversion("the graph with evened channels", "the canonical graph")
EXPORTED = Conversion("the ONNX graph that paddle2onnx wrote", "the Paddle model")
HALF = Conversion("the float16 form", "the float32 graph", ROUNDED)


def compared(
    model: onnx.ModelProto,
    wanted: Run,
    found: Run,
    feeds: Sequence[Feed],
    bound: Bound = EXACT,
) -> Difference | None:
    """The output in which ``found`` differs most from ``wanted``; None where none does too much.

    ``model``: the graph that has the names of the outputs, and shows which of them jump.
    """
    names = [value.name for value in model.graph.output]
    answers = [(wanted(feed), found(feed)) for feed in feeds]
    for _, other in answers:
        if len(other) != len(names):
            text = f"it has {len(other)} outputs instead of {len(names)}"
            return Difference("", float("inf"), text)
    of_wanted, of_found = zip(*answers, strict=True)
    return worst(names, of_wanted, of_found, jumping(model.graph), bound, in_order(model))


def bound_of(model: onnx.ModelProto) -> Bound:
    """What two ways to run ``model`` may differ by: more where it rounds."""
    rounds = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    return ROUNDED if rounds or is_half(model) else EXACT


def check_canonical(
    source: onnx.ModelProto,
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    own: Callable[[Feed], Feed] = list,
) -> None:
    """Raise StepError where ``model``, the canonical graph of ``source``, computes another one.

    It is run as it is measured, so that ONNX Runtime's own optimizations are checked, too. ``own``:
    what ``source`` takes where ``model`` takes one of ``feeds``. Of graphs that put rows in order
    at their end, what comes before that is judged, then the end by itself.
    """
    (first, given), *ends = in_parts(model, feeds)
    cut = unordered(source)
    if not ends or cut is source or len(cut.graph.output) != len(first.graph.output):
        _check_canonical(source, model, feeds, own)
        return
    _check_canonical(cut, first, given, own)
    for end, inputs in ends:
        _check_canonical(head_of(source), end, inputs, list)


def in_parts(
    model: onnx.ModelProto, feeds: Sequence[Feed]
) -> list[tuple[onnx.ModelProto, Sequence[Feed]]]:
    """``model`` as it is before rows are put in order, and what does that; each with its feeds.

    Itself alone where nothing is put in order at its end.
    """
    cut = unordered(model)
    if cut is model:
        return [(model, feeds)]
    run = graph_runner(cut, optimized=True)
    return [(cut, feeds), (head_of(model), [run(feed) for feed in feeds])]


def _check_canonical(
    source: onnx.ModelProto,
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    own: Callable[[Feed], Feed],
) -> None:
    bound, run = bound_of(source), graph_runner(source, optimized=False)
    replace(CANONICAL, bound=bound).check(
        model,
        lambda feed: run(own(feed)),
        lambda: graph_runner(model, optimized=True),
        feeds,
        lambda: first_of_graph(source, model, feeds, bound, own),
    )


def check_smoothed(
    model: onnx.ModelProto, smoothed: onnx.ModelProto, feeds: Sequence[Feed]
) -> None:
    """Raise StepError where ``smoothed``, made of the canonical graph ``model``, differs."""
    before, after = unordered(model), unordered(smoothed)  # What follows is not touched.
    replace(SMOOTHED, bound=bound_of(model)).check(
        before,
        graph_runner(before, optimized=True),
        lambda: graph_runner(after, optimized=True),
        feeds,
        lambda: None,
    )


def first_of_graph(
    source: onnx.ModelProto,
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    bound: Bound = EXACT,
    own: Callable[[Feed], Feed] = list,
) -> str | None:
    """The first operator of ``model`` that writes another value than ``source`` by the same name.

    Both are run operator by operator; None where what differs has no name in common. ``own``: see
    ``check_canonical``.
    """
    names = shared_names(source, model)
    if not names:
        return None
    jumps, ordered = jumping(model.graph), in_order(model)
    one = graph_runner(showing(source, list(names.values())), optimized=False)
    other = graph_runner(showing(model, list(names)), optimized=False)
    wrong: set[str] = set()
    for feed in feeds:
        for name, wanted, found in zip(names, one(own(feed)), other(feed), strict=True):
            if worst([name], [[wanted]], [[found]], jumps, bound, ordered) is not None:
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
    from fqbench.convert.paddle_executor import as_written

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
        lambda: graph_runner(half, optimized=False),
        feeds,
        lambda: first_of_graph(model, half, feeds, ROUNDED),
    )
