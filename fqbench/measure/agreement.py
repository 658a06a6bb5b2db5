"""How alike the outputs of FP32 and INT8 are where there are no labels to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = Sequence[NDArray[Any]]


def agreement(fp32: Outputs, int8: Outputs) -> float:
    """Cosine of the centred outputs of one image: 1 alike, 0 unrelated, -1 opposite.

    Each output is read as rows along its longest axis. A value's mean over the rows is taken
    off before its cosine, since a detector's coordinates, or scores all near one half, would
    be alike whatever the weights say. The result is the mean over values, then over outputs.
    Raises ValueError where the shapes differ.
    """
    return float(np.mean([_output(a, b) for a, b in zip(fp32, int8, strict=True)]))


def _output(fp32: NDArray[Any], int8: NDArray[Any]) -> float:
    if fp32.shape != int8.shape:
        raise ValueError(f"outputs of shapes {fp32.shape} and {int8.shape} cannot be compared")
    a, b = _centred(fp32), _centred(int8)
    lengths = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    cosines = np.divide((a * b).sum(axis=0), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    # A value that is constant in both says nothing where the constants are the same.
    cosines[(lengths == 0) & (a == b).all(axis=0)] = 1.0
    return float(cosines.mean())


def _centred(values: NDArray[Any]) -> NDArray[np.float64]:
    """[rows, values] without the mean over the rows."""
    rows = np.moveaxis(values.astype(np.float64), int(np.argmax(values.shape)), 0)
    rows = rows.reshape(len(rows), -1)
    return np.asarray(rows - rows.mean(axis=0))
