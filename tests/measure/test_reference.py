"""What reference kernels tell, from times made by hand, and that they compute what they say."""

import numpy as np
import pytest

from fqbench.measure import reference
from fqbench.measure.reference import COPY, FLOAT32, INT8, Speed, roofline, speed
from fqbench.measure.stats import Interval
from tests.support.saturating import ask

MACS = 512**3


def launches(seconds, rounds=4, count=5):
    return [[[seconds]] * rounds] * count


RECORDED = {
    FLOAT32: launches(MACS / 50e9),
    INT8: launches(MACS / 200e9),
    COPY: launches((64 << 20) / 10e9),
}


def test_speed_is_in_10_9_a_second():
    found = speed([RECORDED])
    assert found is not None
    assert [round(value, 6) for value in (found.float32, found.int8, found.copy)] == [50, 200, 10]
    assert found.spread == 0


def test_spread_is_how_much_longer_slow_blocks_take():
    slowed = [[*[[1.0]] * 90, *[[1.5]] * 10]]
    found = speed([{**RECORDED, FLOAT32: slowed}])
    assert isinstance(found, Speed)
    assert found.spread == 0.5


def test_groups_without_reference_do_not_count():
    assert speed([{}, RECORDED]) == speed([RECORDED])
    assert speed([{}]) is None
    assert speed([]) is None


def test_roofline_is_the_share_of_the_kernel_s_speed():
    """A model of as many multiply-adds as the kernel, in twice the time."""
    found = roofline(MACS, launches(2 * MACS / 50e9), RECORDED, FLOAT32)
    assert found == Interval(0.5, 0.5, 0.5)


def test_roofline_follows_the_multiply_adds():
    found = roofline(3 * MACS, launches(2 * MACS / 50e9), RECORDED, INT8)
    assert found is not None
    assert round(found.value, 9) == 3 * 0.125


def test_no_roofline_without_kernel_or_multiply_adds():
    assert roofline(MACS, launches(1.0), {}, FLOAT32) is None
    assert roofline(0, launches(1.0), RECORDED, FLOAT32) is None


def test_kernels_run():
    """Each once, and what is multiplied is right to the last digit."""
    kernels = reference.kernels(threads=1)
    assert tuple(kernels) == reference.KERNELS
    results = {name: kernel() for name, kernel in kernels.items()}
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((512, 512)).astype(np.float32) for _ in range(2))
    np.testing.assert_allclose(results[FLOAT32][0], left @ right, rtol=1e-4, atol=1e-3)
    codes, weights = reference.int8_factors(rng)
    exact = codes.astype(np.int64) @ weights.astype(np.int64)
    np.testing.assert_array_equal(results[INT8][0], exact)


@pytest.mark.slow
def test_int8_kernel_is_right_where_8_bit_products_saturate():
    assert ask("reference_kernel", {}) == 1.0
