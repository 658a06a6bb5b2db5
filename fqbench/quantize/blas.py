"""Products of large matrices, by the BLAS that comes with scipy.

The one that comes with numpy 1.26 has no kernels for AVX-512: it took three to five times as long.
Many small matrices are left to numpy, which loops over them without Python.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm, ssyrk

SMALL = 64
"""Columns below which a matrix is small."""


def add_squares(total: NDArray[np.float32], read: NDArray[np.float32]) -> None:
    """Add ``read @ read.T`` of each matrix [groups, columns, places] to ``total``
    [groups, columns, columns], of which only the lower triangles are looked at."""
    if read.shape[1] < SMALL:
        total += read @ read.swapaxes(1, 2)
        return
    for whole, part in zip(total, read, strict=True):
        # Both are transposed for Fortran's order, so nothing is copied.
        ssyrk(1.0, part.T, beta=1.0, c=whole.T, trans=1, overwrite_c=1)


def product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """``left @ right`` of each matrix, [groups, m, k] and [groups, k, n]."""
    if left.shape[2] < SMALL:
        return left @ right
    pairs = zip(left, right, strict=True)
    return np.stack([sgemm(1.0, second.T, first.T).T for first, second in pairs])


def lower_mirrored(matrices: NDArray[np.float32]) -> NDArray[np.float32]:
    """The symmetric matrices of which ``matrices`` [groups, n, n] hold the lower triangles."""
    lower = np.tril(matrices)
    return np.asarray(lower + np.tril(lower, -1).swapaxes(1, 2))
