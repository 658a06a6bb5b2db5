"""A graph for OpenVINO run beside the one that it was made from, as it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import onnx

from fqbench.backends.openvino.mend import mended
from fqbench.backends.openvino.runtime import MODEL, compiled, runner
from fqbench.hardware import usable_cores
from fqbench.verify.conversion import (
    Conversion,
    Feed,
    Run,
    bound_of,
    compared,
    graph_runner,
    in_parts,
)
from fqbench.verify.graphs import first_operator, with_weight


def check_graph(model: onnx.ModelProto, folder: Path, feeds: Sequence[Feed]) -> None:
    """Raise StepError where what OpenVINO makes of the file in ``folder`` differs from ``model``.

    ``model``: the canonical graph that it was made of.
    """
    parts = in_parts(model, feeds)
    check = Conversion(
        "the graph for OpenVINO", "the ONNX graph it was made from", bound_of(model)
    ).check
    for part, given in parts:
        file = folder / MODEL if part is model else mended(part).SerializeToString()
        check(
            part,
            graph_runner(part, optimized=True),
            partial(_run, file),
            given,
            partial(_first_operator, part, given),
        )


def _run(model: Path | bytes) -> Run:
    return runner(compiled(model, usable_cores())).run


def _first_operator(model: onnx.ModelProto, feeds: Sequence[Feed]) -> str | None:
    """The first operator of ``model`` that OpenVINO computes otherwise, if found."""

    def differs(part: onnx.ModelProto) -> bool:
        part = with_weight(part)
        found = _run(mended(part).SerializeToString())
        return compared(part, graph_runner(part, optimized=True), found, feeds) is not None

    return first_operator(model, differs)
