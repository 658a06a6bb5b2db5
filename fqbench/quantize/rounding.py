"""Rounding a layer's weights so that their errors make up for each other in its results.

Frantar et al. 2022, GPTQ: accurate post-training quantization (arXiv:2210.17323): one weight
after the other is rounded, and those that are left move so as to make up for its error as far as
what they multiply is alike. The mean of what the layer reads is left to the bias, as in Nagel et
al. 2019, Data-free quantization through weight equalization and bias correction
(arXiv:1906.04721), section 4.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from fqbench.quantize.affine import INT8_MAX

DAMPING = 0.1
"""Part of the mean variance that is added to each, so that what was never seen moves nothing."""

TOGETHER = 64
"""Columns whose effect on all later ones is worked out at once: one large product is fast."""


def compensated(
    weight: NDArray[np.float64], scales: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Codes of ``weight`` [groups, outputs, columns] in units of ``scales`` [groups, outputs].

    ``covariance`` [groups, columns, columns] is that of what the columns multiply; where it is
    zero, or noise that is none, codes are the nearest ones. A weight at the limit of its output's
    codes keeps that code, so that the codes tell the unit.
    """
    groups, _, columns = weight.shape
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    # The columns that matter most come first, while many are left to make up for them.
    order = np.argsort(-variance, axis=1, kind="stable")
    back = np.argsort(order, axis=1)
    each = np.arange(groups)[:, None]
    units = scales[:, :, None]
    left = np.take_along_axis(weight / units, order[:, None, :], axis=2)
    ordered = covariance[each[:, :, None], order[:, :, None], order[:, None, :]]
    fixed = np.where(np.abs(left) > INT8_MAX - 0.5, INT8_MAX * np.sign(left), np.nan)
    factor = _inverse_factor(ordered)
    codes = np.empty_like(left)
    for start in range(0, columns, TOGETHER):
        block = slice(start, min(start + TOGETHER, columns))
        errors = np.empty_like(left[:, :, block])
        for column in range(block.start, block.stop):
            limit = fixed[:, :, column]
            found = np.clip(np.rint(left[:, :, column]), -INT8_MAX, INT8_MAX)
            found = np.where(np.isnan(limit), found, limit)
            error = (left[:, :, column] - found) / factor[:, None, column, column]
            rest = slice(column, block.stop)
            left[:, :, rest] -= error[:, :, None] * factor[:, None, column, rest]
            codes[:, :, column], errors[:, :, column - start] = found, error
        left[:, :, block.stop :] -= errors @ factor[:, block, block.stop :]
    return np.take_along_axis(codes, back[:, None, :], axis=2).astype(np.int8)


def _inverse_factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper U with U.T @ U the inverse of each covariance, damped; identity where it is none."""
    columns = covariance.shape[-1]
    spread = np.trace(covariance, axis1=1, axis2=2) / columns
    damping = DAMPING * np.maximum(spread, 0.0) + np.finfo(np.float32).tiny
    damped = covariance + damping[:, None, None] * np.eye(columns)
    # With rows and columns turned round, the factor of the inverse is the inverse of the factor.
    turned = damped[:, ::-1, ::-1]
    inverses = np.stack([_inverted(*each) for each in zip(turned, damping, strict=True)])
    return np.asarray(inverses[:, ::-1, ::-1])


def _inverted(damped: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """The inverse of the lower Cholesky factor of ``damped``.

    No square of the factor's diagonal is below what was added to a covariance. Where one is, what
    was given is no covariance but noise, which knows of no weight that could make up for another:
    identity leaves the nearest codes.
    """
    factor, failed = dpotrf(damped, lower=1, clean=1)
    if failed or not (np.square(np.diagonal(factor)) >= damping / 2).all():
        return np.eye(len(damped))
    return np.asarray(dtrtri(factor, lower=1)[0])
