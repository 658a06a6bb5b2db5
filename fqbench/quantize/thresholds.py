"""The largest magnitude to represent: PaddleSlim's six algorithms, and a percentile.

PaddleSlim 2.6 leaves them to Paddle: ``paddle/static/quantization/post_training_quantization.py``
and ``cal_kl_threshold.py``. It reads the images twice where it needs a histogram; here one reading
is enough, by ``TensorHistogram``. Each function takes the histogram of a tensor not all zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fqbench.quantize.affine import INT8_MAX
from fqbench.quantize.code_errors import CodeErrors, Values
from fqbench.quantize.histogram import BINS, TensorHistogram

HISTOGRAM_BINS = 2048
HIST_SHARE = 0.9999
KL_LEVELS = 127
PARTS = 0.3 + 0.02 * np.arange(35)
"""Parts of the largest magnitude that mse and emd try; the whole is none of them."""


def abs_max(histogram: TensorHistogram) -> float:
    """Largest magnitude."""
    return histogram.amax


def avg(histogram: TensorHistogram) -> float:
    """Mean of the images' largest magnitudes."""
    return float(np.mean(histogram.image_amax))


def percentile(histogram: TensorHistogram, percent: float) -> float:
    """The magnitude below which ``percent`` of the values lie, to a bin of the histogram."""
    below = np.cumsum(histogram.magnitudes(BINS // 2))
    place = int(np.searchsorted(below, below[-1] * (percent / 100.0)))
    return histogram.amax * min((place + 1) / len(below), 1.0)


def hist(histogram: TensorHistogram) -> float:
    """Middle of the bin, of 2048, in which 99.99 % of the magnitudes are reached.

    PaddleSlim's bins begin at the least magnitude, yet it computes as if they began at 0: where
    that is far from 0, its threshold is too small by as much.
    """
    below = np.cumsum(histogram.magnitudes(HISTOGRAM_BINS))
    place = int(np.searchsorted(below, below[-1] * HIST_SHARE))
    return (place + 0.5) * histogram.amax / HISTOGRAM_BINS


def mse(histogram: TensorHistogram) -> float:
    """Of ``PARTS``, that of least mean squared error over all images.

    PaddleSlim rounds each batch alone and keeps the threshold of the batch that had the least
    error, so that one dark image decides; with one image both find the same.
    """
    return _best_part(histogram, CodeErrors.squared)


def emd(histogram: TensorHistogram) -> float:
    """Of ``PARTS``, that which keeps mean and standard deviation best, over all images.

    As for ``mse``, PaddleSlim keeps that of the best batch.
    """
    return _best_part(histogram, CodeErrors.moments)


def kl(histogram: TensorHistogram) -> float:
    """The part of a histogram of 2048 magnitudes that diverges least from itself in 127 levels.

    For its bins see ``hist``; of lengths that are nearly alike PaddleSlim may find another. Where
    its length would cut off half of the values, a constant's for instance, all are kept.
    """
    counts = np.rint(histogram.magnitudes(HISTOGRAM_BINS))
    bins = kl_bins(counts)
    if 2.0 * counts[: bins + 1].sum() <= counts.sum():
        return histogram.amax
    return (bins + 0.5) * histogram.amax / HISTOGRAM_BINS


def kl_bins(counts: Values) -> int:
    """How many of the bins ``cal_kl_threshold`` keeps: half of them or more.

    P are the kept bins, what is cut off added to the last; Q spreads the count of each of 127
    groups of bins evenly over those of it that are not empty. For the divergence of Q from P only
    the sums of each group are needed, and prefix sums hold them for every length.
    """
    start = (len(counts) - 1) // 2
    lengths = np.arange(start, len(counts))
    lengths = lengths[counts[lengths - 1] > 0]
    if not lengths.size:
        return int(np.flatnonzero(counts[: start + 1]).max(initial=0))
    below, full, entropy = (
        np.concatenate([[0.0], np.cumsum(v)]) for v in (counts, counts > 0, _x_log_x(counts))
    )
    edges = (lengths // KL_LEVELS)[:, None] * np.arange(KL_LEVELS + 1)
    edges[:, -1] = lengths
    in_p = np.diff(below[edges])
    in_q, bins = in_p.copy(), np.diff(full[edges])
    cut, last = below[-1] - below[lengths], counts[lengths - 1]
    in_p[:, -1] += cut
    own = entropy[lengths - 1] + _x_log_x(last + cut)
    spread = np.log(np.where(bins > 0, in_q, 1.0) / np.maximum(bins, 1.0))
    # Q's sum is below[lengths]; what all lengths have in common is left out.
    divergences = own + below[-1] * np.log(below[lengths]) - (in_p * spread).sum(axis=1)
    return int(lengths[np.argmin(divergences)])


def _x_log_x(values: Values) -> Values:
    return np.asarray(values * np.log(np.where(values > 0, values, 1.0)))


def _best_part(
    histogram: TensorHistogram, errors: Callable[[CodeErrors, Values, Values, int], Values]
) -> float:
    amaxes = PARTS * histogram.amax
    lowest = np.full(amaxes.shape, -INT8_MAX - 1.0)
    found = errors(
        CodeErrors(histogram, lambda values: values), amaxes / INT8_MAX, lowest, 2 * INT8_MAX + 2
    )
    # Of equals the last, as PaddleSlim.
    return float(amaxes[::-1][np.argmin(found[::-1])])


BY_NAME: Mapping[str, Callable[[TensorHistogram], float]] = {
    "hist": hist,
    "avg": avg,
    "abs_max": abs_max,
    "KL": kl,
    "mse": mse,
    "emd": emd,
}
