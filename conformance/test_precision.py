"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

from fixtures.matrix import Pair, Workshop

Count = Callable[[Pair], tuple[int, int]]


def test_runtime_runs_the_planned_convolutions_in_int8(
    pair: Pair, workshop: Workshop, int8_convolutions: Count
) -> None:
    planned = workshop.pipeline(pair.int8.model).build.lowering(pair.int8)
    assert planned.quantized > planned.convolutions / 2
    assert int8_convolutions(pair)[1] == planned.quantized


def test_fp32_runs_no_convolution_in_int8(pair: Pair, int8_convolutions: Count) -> None:
    assert int8_convolutions(pair)[0] == 0
