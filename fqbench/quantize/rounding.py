"""Rounding a layer's weights so that their errors compensate each other in its results.

Frantar et al. 2022, GPTQ: accurate post-training quantization (arXiv:2210.17323): one weight
after the other is rounded, and those that are left move so as to compensate its error as far as
what they multiply is alike. The mean of what the layer reads is left to the bias, as in Nagel et
al. 2019, Data-free quantization through weight equalization and bias correction
(arXiv:1906.04721), section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf

from fqbench.quantize.blas import product
from fqbench.quantize.grids import FULL, Grid

DAMPING = 0.1
"""Part of the mean variance that is added to each, so that what was never seen moves nothing."""

BLOCK_SIZE = 32
"""Columns that take over the errors of all earlier ones at once: one large product is fast."""


@dataclass(frozen=True)
class Factor:
    """How much of the rounding errors of earlier columns each column compensates.

    ``order`` [groups, columns]: the columns in the order in which they are rounded. ``shares``
    [groups, columns, columns], in that order: row k, column j is how much of the error of j is
    added to k before that is rounded; only entries with j < k count. It depends on the covariance
    alone, so one factor serves any number of grids.
    """

    order: NDArray[np.intp]
    shares: NDArray[np.float32]

    @staticmethod
    def of(covariance: NDArray[np.float64]) -> Factor:
        """The factor for columns that multiply what has ``covariance`` [groups, columns, columns].

        Chee et al. 2023, QuIP (arXiv:2307.13304): with H = (U + I) D (U + I)^T, U strictly upper,
        adding U^T's share of the errors gives the codes that GPTQ finds by the inverse of H.
        """
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        # The columns that matter most come first, while many are left to compensate.
        order = np.argsort(-variance, axis=1, kind="stable")
        each = np.arange(len(order))[:, None, None]
        turned = order[:, ::-1]
        ordered = covariance[each, turned[:, :, None], turned[:, None, :]]
        damping = DAMPING * np.maximum(variance.mean(axis=1), 0.0) + np.finfo(np.float32).tiny
        columns = np.arange(order.shape[1])
        ordered[:, columns, columns] += damping[:, None]
        # With rows and columns turned round, the lower factor is the upper one.
        root = np.stack([_unit_factor(*each) for each in zip(ordered, damping, strict=True)])
        shares = root[:, ::-1, ::-1].swapaxes(1, 2).astype(np.float32, order="C")
        return Factor(order, shares)


def gptq_round(
    weight: NDArray[np.float64],
    scales: NDArray[np.float64],
    factor: Factor,
    grid: Grid = FULL,
) -> NDArray[np.int8]:
    """Codes of ``weight`` [groups, outputs, columns] in units of ``scales`` [groups, outputs].

    ``grid``: the codes to choose from. ``factor`` is that of what the columns multiply. A weight at
    the limit of its output's codes keeps that code, so that the codes determine the unit.
    """
    units = scales[:, :, None] * grid.step
    real = np.take_along_axis(weight / units, factor.order[:, None, :], axis=2)
    real = real.swapaxes(1, 2).astype(np.float32, order="C")
    limit = np.float32(grid.limit / grid.step)
    most = np.floor(limit)
    lowest = np.where(real > limit - 0.5, limit, -most)
    highest = np.where(real < -(limit - 0.5), -limit, most)
    lowest = np.where(real < -(limit - 0.5), -limit, lowest)
    highest = np.where(real > limit - 0.5, limit, highest)
    codes, errors = np.empty_like(real), np.empty_like(real)
    columns = real.shape[1]
    for start in range(0, columns, BLOCK_SIZE):
        block = slice(start, min(start + BLOCK_SIZE, columns))
        moved = real[:, block] + product(factor.shares[:, block, :start], errors[:, :start])
        for column in range(block.start, block.stop):
            inner, row = slice(start, column), slice(column, column + 1)
            wanted = moved[:, column - start]
            wanted += (factor.shares[:, row, inner] @ errors[:, inner])[:, 0]
            found = np.clip(np.rint(wanted), lowest[:, column], highest[:, column])
            codes[:, column], errors[:, column] = found, real[:, column] - found
    back = np.argsort(factor.order, axis=1)
    found = np.take_along_axis(codes, back[:, :, None], axis=1).swapaxes(1, 2)
    return np.asarray(np.rint(found * grid.step), np.int8)


def _unit_factor(damped: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """The lower Cholesky factor of ``damped``, each column divided by its diagonal.

    No square of the factor's diagonal is below what was added to a covariance. Where one is, what
    was given is no covariance but noise, in which no weight could compensate another: identity
    leaves the nearest codes.
    """
    factor, failed = dpotrf(damped, lower=1, clean=1)
    diagonal = np.diagonal(factor)
    if failed or not (np.square(diagonal) >= damping / 2).all():
        return np.eye(len(damped))
    return np.asarray(factor / diagonal)
