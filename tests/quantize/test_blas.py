"""Products of matrices, small and large: those that numpy computes."""

import numpy as np
import pytest

from fqbench.quantize.blas import SMALL, add_squares, lower_mirrored, product


@pytest.mark.parametrize("columns", [3, SMALL - 1, SMALL, 150])
def test_squares_are_added_up(columns):
    random = np.random.default_rng(0)
    parts = random.normal(size=(2, 3, columns, 40)).astype(np.float32)
    total = np.zeros((3, columns, columns), np.float32)
    for part in parts:
        add_squares(total, part)
    wanted = sum(part @ part.swapaxes(1, 2) for part in parts)
    np.testing.assert_allclose(lower_mirrored(total), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inner", [0, 1, SMALL - 1, SMALL, 150])
def test_products_of_parts_of_matrices(inner):
    random = np.random.default_rng(0)
    left = random.normal(size=(2, 40, 200)).astype(np.float32)[:, 3:10, :inner]
    right = random.normal(size=(2, 200, 6)).astype(np.float32)[:, :inner]
    np.testing.assert_allclose(product(left, right), left @ right, rtol=1e-4, atol=1e-4)
