"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

from fqbench.pipeline.build import PAYING
from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

Count = Callable[[Pair], tuple[int, int]]


def test_runtime_runs_exactly_the_planned_layers_in_int8(
    pair: Pair, matrix_under_test: MatrixUnderTest, int8_convolutions: Count
) -> None:
    build = matrix_under_test.pipeline(pair.int8.model).build
    planned = build.lowering(pair.int8)
    assert int8_convolutions(pair)[1] == planned.quantized
    if build.pays(pair.int8):
        in_float = len(build.choice(pair.int8).float_layers)
        assert 0 < planned.quantized <= planned.convolutions - in_float


def test_int8_that_does_not_pay_is_fp32_itself(
    pair: Pair, matrix_under_test: MatrixUnderTest
) -> None:
    build = matrix_under_test.pipeline(pair.int8.model).build
    fp32, int8 = (build.artifact(cell).key for cell in (pair.fp32, pair.int8))
    if build.pays(pair.int8):
        assert build.network(pair.int8).key == build.lowered(pair.int8).key
        assert int8 != fp32
    else:
        assert build.slowdown(pair.int8) >= PAYING
        assert int8 == fp32
        assert build.lowering(pair.int8).quantized == 0


def test_fp32_runs_no_convolution_in_int8(pair: Pair, int8_convolutions: Count) -> None:
    assert int8_convolutions(pair)[0] == 0
