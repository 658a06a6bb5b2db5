"""INT8 is INT8: what the plan quantizes, the runtime runs so; and FP32 is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fqbench.pipeline.decisions import MAX_INT8_TIME_RATIO
from fqbench.pipeline.model import Model
from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

Count = Callable[[Pair], tuple[int, int]]


def _lowered(matrix_under_test: MatrixUnderTest, pair: Pair) -> Model:
    """The pair's model, where fqbench itself says which of its layers run in INT8."""
    model = matrix_under_test.pipeline(pair.int8.model)
    if not model.is_lowered:
        pytest.skip(f"the method {model.method} does not say which layers it quantizes")
    return model


def test_runtime_runs_exactly_the_planned_layers_in_int8(
    pair: Pair, matrix_under_test: MatrixUnderTest, int8_convolutions: Count
) -> None:
    model = _lowered(matrix_under_test, pair)
    planned = model.lowering(pair.int8)
    assert int8_convolutions(pair)[1] == planned.quantized
    if model.int8_is_used(pair.int8):
        in_float = len(model.choice(pair.int8).float_layers)
        assert 0 < planned.quantized <= planned.convolutions - in_float


def test_int8_that_does_not_pay_is_fp32_itself(
    pair: Pair, matrix_under_test: MatrixUnderTest
) -> None:
    model = _lowered(matrix_under_test, pair)
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
