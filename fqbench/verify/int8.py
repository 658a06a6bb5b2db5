"""Whether an INT8 form still answers as its model: rounding changes answers, so bounds are wide.

Two questions, since neither suffices. Does the runtime compute what the scales of its file say
(``EMULATED``)? And is what they say like FP32 at all (``ALIKE``)?
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx

from fqbench.errors import StepError
from fqbench.measure.agreement import agreement
from fqbench.verify.conversion import Feed, Run, graph_runner
from fqbench.verify.difference import Array, Outputs

EMULATED = 0.8
"""The least agreement of a runtime's INT8 outputs with an emulation that rounds the same tensors.

Each rounds values between two codes its own way; public models have 0.97 and more, synthetic ones
0.92, even where every layer is rounded."""

ALIKE = 0.1
"""The least agreement of INT8 outputs with FP32's. Of YOLOX-nano with every layer rounded, which
detects nothing any more, it is 0.17; of outputs that have nothing in common it is near 0."""


def check_int8(
    model: onnx.ModelProto,
    emulation: onnx.ModelProto,
    found: Run,
    feeds: Sequence[Feed],
    ordered: Collection[str] = (),
) -> None:
    """Raise StepError where what ``found`` answers is no answer of ``model`` any more.

    ``model``: the canonical graph in float32. ``emulation``: that graph with a quantize pair
    wherever the INT8 form rounds; ONNX Runtime executes it operator by operator. ``found``: runs
    the INT8 form in its runtime. ``ordered``: outputs of which only the shape is judged, since
    rounding decides in which order they are.
    """
    names = [value.name for value in model.graph.output]
    answers = [found(feed) for feed in feeds]
    references = (
        (graph_runner(emulation, optimized=False, pairs=False), EMULATED, "what its scales say"),
        (graph_runner(model, optimized=True), ALIKE, "the float32 model"),
    )
    for run, least, text in references:
        check_alike(names, [run(feed) for feed in feeds], answers, least, text, ordered)


def check_alike(
    names: Sequence[str],
    wanted: Sequence[Outputs],
    found: Sequence[Outputs],
    least: float,
    text: str,
    ordered: Collection[str] = (),
) -> None:
    """Raise StepError where one of the outputs ``names`` agrees less than ``least``.

    ``wanted`` and ``found`` hold the outputs for each image, ``text`` says whose ``wanted`` are.
    Outputs that are no floats are not judged.
    """
    for place, name in enumerate(names):
        pairs = [(one[place], other[place]) for one, other in zip(wanted, found, strict=True)]
        if any(one.shape != other.shape for one, other in pairs):
            shapes = [list(values.shape) for values in pairs[0]]
            raise StepError(
                f"the INT8 form computes something else than {text}: output {name!r} has shape"
                f" {shapes[1]} instead of {shapes[0]}"
            )
        value = float(np.mean([_agreement(*pair) for pair in pairs]))
        if name not in ordered and not value >= least:
            raise StepError(
                f"the INT8 form computes something else than {text}: output {name!r} agrees with it"
                f" by {value:.2f}, 1 is alike and 0 has nothing in common"
            )


def _agreement(one: Array, other: Array) -> float:
    """1 where there are no floats to compare; 0 where one is no number."""
    if not np.issubdtype(one.dtype, np.floating) or one.size < 2:
        return 1.0
    if not np.isfinite(other).all():
        return 0.0
    return agreement([one], [other])
