"""The fastest float of any backend, and how the cells compare with it."""

from __future__ import annotations

import pytest

from fqbench.cells import Cell
from fqbench.pipeline.best_float import against_best_float, fastest_float


def cell(backend: str, precision: str) -> Cell:
    return Cell("net", backend, "cpu", precision)


def launches(*ms: float) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """A launch of one round and one inference for each time."""
    return tuple(((each / 1e3,),) for each in ms)


FP32 = cell("onnxruntime", "fp32")
INT8 = cell("onnxruntime", "int8")
BF16 = cell("openvino", "bf16")
TIMES = {
    FP32: launches(4.0, 4.0, 4.0),
    INT8: launches(1.0, 1.0, 1.0),
    cell("openvino", "fp32"): launches(5.0, 5.0, 5.0),
    BF16: launches(2.0, 2.0, 2.0),
    cell("openvino", "int8"): launches(2.5, 2.5, 2.5),
}


def test_it_is_the_fastest_of_any_backend_and_precision() -> None:
    assert fastest_float(TIMES) == BF16


def test_int8_is_no_float_however_fast() -> None:
    assert fastest_float({INT8: TIMES[INT8]}) is None
    assert against_best_float({INT8: TIMES[INT8]}) == {}


def test_all_are_compared_with_it() -> None:
    found = against_best_float(TIMES)
    assert {each.cell for each in found.values()} == {BF16}
    assert [found[each].ratio.value for each in TIMES] == pytest.approx([0.5, 2.0, 0.4, 1.0, 0.8])
    assert found[BF16].ratio.low == found[BF16].ratio.high == 1.0


def test_what_slows_the_machine_in_a_launch_is_not_in_the_ratio() -> None:
    times = {FP32: launches(4.0, 8.0, 40.0), INT8: launches(1.0, 2.0, 10.0)}
    ratio = against_best_float(times)[INT8].ratio
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((4.0, 4.0, 4.0))
