"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

from fqbench.pipeline.decisions import MAX_INT8_TIME_RATIO
from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

Count = Callable[[Pair], tuple[int, int]]


def test_runtime_runs_exactly_the_planned_layers_in_int8(
    pair: Pair, matrix_under_test: MatrixUnderTest, int8_convolutions: Count
) -> None:
    model = matrix_under_test.lowered(pair.int8.model)
    planned = model.lowering(pair.int8)
    assert int8_convolutions(pair)[1] == planned.quantized
    if model.int8_is_used(pair.int8):
        in_float = len(model.choice(pair.int8).float_layers)
        assert 0 < planned.quantized <= planned.convolutions - in_float


def test_int8_that_does_not_pay_is_fp32_itself(
    pair: Pair, matrix_under_test: MatrixUnderTest
) -> None:
    model = matrix_under_test.lowered(pair.int8.model)
    fp32, int8 = (model.artifact(cell).key for cell in (pair.fp32, pair.int8))
    if model.int8_is_used(pair.int8):
        lowered = model.made(model.graph.lowered(pair.int8.backend))
        assert model.network(pair.int8).key == lowered.key
        assert int8 != fp32
    else:
        slowdown = model.choice(pair.int8).slowdown
        assert slowdown is not None
        assert slowdown >= MAX_INT8_TIME_RATIO
        assert int8 == fp32
        assert model.lowering(pair.int8).quantized == 0


def test_fp32_runs_no_convolution_in_int8(pair: Pair, int8_convolutions: Count) -> None:
    assert int8_convolutions(pair)[0] == 0
