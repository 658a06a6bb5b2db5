"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

from fixtures.matrix import Pair, Workshop
from fqbench.cells import Cell
from fqbench.pipeline.model import Answers


def test_runtime_runs_the_planned_convolutions_in_int8(
    pair: Pair, workshop: Workshop, answered: Callable[[Cell], Answers]
) -> None:
    planned = workshop.pipeline(pair.int8.model).build.lowering(pair.int8)
    assert planned.quantized > planned.convolutions / 2
    assert answered(pair.int8).int8_convolutions == planned.quantized


def test_fp32_runs_no_convolution_in_int8(pair: Pair, answered: Callable[[Cell], Answers]) -> None:
    assert answered(pair.fp32).int8_convolutions == 0
