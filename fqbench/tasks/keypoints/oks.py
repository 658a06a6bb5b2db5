"""Object keypoint similarity, COCO's measure of how near keypoints are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]

COCO_SIGMAS = (
    np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], np.float64)
    * 1e-3
)
"""How far people who annotate are off by, relative to a person's size: nose, eyes, ears, shoulders,
elbows, wrists, hips, knees, ankles (Ronchi, Perona, "Benchmarking and Error Diagnosis in
Multi-Instance Pose Estimation", 2017)."""


def sigmas(count: int) -> NDArray[np.float64]:
    """Of ``count`` keypoints [count]: COCO's where there are as many, else 1 / count each."""
    return COCO_SIGMAS if count == len(COCO_SIGMAS) else np.full(count, 1 / count)


def similarity(
    wanted: Points,
    found: Points,
    areas: Points,
    counting: Points | None = None,
) -> NDArray[np.float64]:
    """OKS [n, m] of keypoints [n, k, 2 or more] with others [m, k, 2 or more]: 1 alike, 0 far off.

    exp(-d^2 / (2 area (2 sigma)^2)), the mean over keypoints; ``areas`` [n] of the wanted persons,
    in square pixels. ``counting`` [n, k]: how much each wanted keypoint counts in the mean, 0 or
    more; all alike if None, or where a person's are all 0.
    """
    apart = wanted[:, None, :, :2].astype(np.float64) - found[None, :, :, :2]
    spread = (2 * sigmas(wanted.shape[1])) ** 2 * 2 * (areas[:, None] + np.spacing(1))
    near = np.exp(-(apart**2).sum(axis=3) / spread[:, None])
    if counting is None:
        return np.asarray(near.mean(axis=2))
    shares = counting.astype(np.float64)
    shares = np.where(shares.sum(axis=1, keepdims=True) > 0.0, shares, 1.0)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray((near * shares[:, None]).sum(axis=2))
