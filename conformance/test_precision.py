"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

from fixtures.matrix import Pair, Workshop
from fixtures.outcomes import Evaluation
from fqbench.cells import Cell


def test_runtime_runs_the_planned_convolutions_in_int8(
    pair: Pair, workshop: Workshop, evaluated: Callable[[Cell], Evaluation]
) -> None:
    planned = workshop.pipeline(pair.int8.model).lowering(pair.int8)
    assert planned.quantized > planned.convolutions / 2
    assert evaluated(pair.int8).int8_convolutions == planned.quantized


def test_fp32_runs_no_convolution_in_int8(
    pair: Pair, evaluated: Callable[[Cell], Evaluation]
) -> None:
    assert evaluated(pair.fp32).int8_convolutions == 0
