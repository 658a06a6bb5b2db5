"""Products and factors of large matrices, by the BLAS that comes with scipy.

The one that comes with numpy 1.26 has no kernels for AVX-512: it took three to five times as long.
Many small matrices are left to numpy, which loops over them without Python.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm, ssyrk
from scipy.linalg.lapack import dpotrf

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


def lower_root(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower L with L @ L.T each of ``matrices`` [groups, columns, columns].

    Raises LinAlgError where one is not positive definite.
    """
    if matrices.shape[1] < SMALL:
        return np.linalg.cholesky(matrices)
    roots = np.empty_like(matrices)
    for root, matrix in zip(roots, matrices, strict=True):
        # The lower factor in Fortran's order is the transposed upper one in C's.
        upper, info = dpotrf(matrix.T, lower=0, clean=1)
        if info:
            raise np.linalg.LinAlgError("a matrix is not positive definite")
        root[:] = upper.T
    return roots
