"""How far the outputs of a rewritten model are from those of its source: arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Outputs = Sequence[Array]
"""The outputs for one image."""

STEADY = 1e-2
"""What hardly varies is judged by this part of its size, instead of its deviation."""

SLIGHT = 1e-4
"""Of a row's values, less than this part of their column's size is no difference."""

COLUMNS = 100
"""Up to so many columns, adjacent values differ in meaning."""

MOST_ROWS = 2000
"""Rows beyond this are too many to be looked for among all others."""

FAINT = 1e-3
"""What is faint compared with the whole is judged by this part of the whole (of 1 at most, since a
detector's probabilities lie beside pixels): float32's exponential is no more accurate."""


RESOLUTION = 5e-7
"""A root mean square difference of no more than this is none: float32's sigmoid and softmax are no
more exact, and a class that is improbable on every image hardly varies by more."""


@dataclass(frozen=True)
class Bound:
    """The most that ``measure`` may find between an output that was wanted and the one found.

    ``jumped``: the part of values that may differ of an output that jumps.
    """

    measure: Callable[[Array, Array], float]
    most: float
    jumped: float


@dataclass(frozen=True)
class Difference:
    """An output that differs too much; ``text`` says by how much, as the end of a sentence."""

    output: str
    off: float
    text: str


def worst(
    names: Sequence[str],
    wanted: Sequence[Outputs],
    found: Sequence[Outputs],
    jumping: Collection[str] = (),
    bound: Bound | None = None,
    ordered: Collection[str] = (),
) -> Difference | None:
    """The output that differs most beyond what is tolerated; None where none does.

    ``wanted`` and ``found`` hold, for each image, the outputs ``names``. Of those ``jumping``, the
    share of differing values is judged, of the others what ``bound`` measures; None is ``EXACT``.
    Rows of those ``ordered``, which jump too, may have changed places.
    """
    differences = [
        _difference(name, of_wanted, of_found, name in jumping, bound or EXACT, name in ordered)
        for name, of_wanted, of_found in zip(
            names, zip(*wanted, strict=True), zip(*found, strict=True), strict=True
        )
    ]
    too_far = [difference for difference in differences if difference is not None]
    return max(too_far, key=lambda difference: difference.off, default=None)


def _difference(
    name: str, wanted: Outputs, found: Outputs, jumping: bool, bound: Bound, ordered: bool
) -> Difference | None:
    """How one output differs over all images, where it does too much."""
    for one, other in zip(wanted, found, strict=True):
        if _shape(one) != _shape(other):
            shapes = f"has shape {list(other.shape)} instead of {list(one.shape)}"
            return Difference(name, math.inf, f"output {name!r} {shapes}")
        if not _alike_in_kind(one, other):
            return Difference(name, math.inf, f"output {name!r} is infinite or NaN elsewhere")
    one, other = _together(wanted), _together(found)
    if jumping or not np.issubdtype(wanted[0].dtype, np.floating):
        share = share_of_different(one, other)
        if ordered:
            share = min(share, share_of_missing(wanted, found))
        if share <= (bound.jumped if jumping else 0.0):
            return None
        return Difference(name, share, f"{share:.2g} of the values of output {name!r} differ")
    part = bound.measure(one, other)
    if part <= bound.most:
        return None
    if math.isinf(part):
        return Difference(name, part, f"output {name!r} is not constant")
    return Difference(name, part, f"output {name!r} is off by {_percent(part)} of its deviation")


def off(wanted: Array, found: Array) -> float:
    """The largest root mean square difference over deviation of any slice along any axis.

    Slice by slice, since a detector's scores lie beside coordinates a thousand times as large, and
    what is wrong at the border of an image is little of the whole. A slice's deviation is that from
    its mean; where it is less than ``STEADY`` of the slice's size, or of what slices of that axis
    typically have, or ``FAINT`` of the whole, that counts instead: a constant and a dead channel
    differ by rounding alone. Infinite where the whole is zero and should stay so.
    """
    return max(float(of_axis.max()) for of_axis in _slices_off(wanted, found))


def typically_off(wanted: Array, found: Array) -> float:
    """As ``off``, of the whole, or of the median slice along the axis for which that is largest.

    For forms that round: what rounding does to a faint slice says nothing.
    """
    return max(float(np.median(of_axis)) for of_axis in _slices_off(wanted, found))


EXACT = Bound(off, 2e-3, 0.05)
"""What float32 arithmetic in another order may change. Of public models that is 0.0004 at most;
operators that were computed otherwise changed 0.1 and more. Of labels and sorted lists some differ
where two candidates are almost equal."""

ROUNDED = Bound(typically_off, 0.5, 0.5)
"""What rounding may change, to float16 or by two runtimes to codes of eight bits, of which one
takes the upper and the other the lower of two: of public models 0.25 at most, of synthetic weights,
which amplify every error, 0.4."""


def _slices_off(wanted: Array, found: Array) -> Iterator[NDArray[np.float64]]:
    """How far off the whole is, then each slice along each axis; see ``off``."""
    wanted, found = np.atleast_1d(wanted), np.atleast_1d(found)
    finite = np.isfinite(wanted)
    wanted, found = np.where(finite, wanted, 0.0), np.where(finite, found, 0.0)
    if wanted.size == 0:
        yield np.zeros(1)
        return
    yield _off(wanted.reshape(1, -1), found.reshape(1, -1))
    for axis, size in enumerate(wanted.shape):
        if 1 < size < wanted.size:
            yield _off(_along(wanted, axis), _along(found, axis))


def share_of_different(wanted: Array, found: Array) -> float:
    """The part of values that differ; floats by more than a hundredth of their deviation.

    ``wanted`` and ``found``: [images, ...], read as rows along the longest other axis. Of rows of a
    few columns, such as a box, its score and its label, the column with the largest part counts.
    """
    if wanted.size == 0:
        return 0.0
    if wanted.ndim > 2:
        rows = 1 + int(np.argmax(wanted.shape[1:]))
        columns = [np.moveaxis(v, (0, rows), (0, 1)) for v in (wanted, found)]
        tables = [v.reshape(v.shape[0] * v.shape[1], -1) for v in columns]
        if tables[0].shape[1] <= COLUMNS:
            return max(
                _share(one, other) for one, other in zip(*(t.T for t in tables), strict=True)
            )
    return _share(wanted, found)


def share_of_missing(wanted: Outputs, found: Outputs) -> float:
    """The part of rows in order that the other side has not, whatever their places.

    Where scores are almost equal, rounding changes many places and few rows. A column of
    ``wanted`` that is sorted says the order, and is compared place by place. Floats are alike by a
    hundredth of their deviation, or ``SLIGHT``; 1 where there are too many rows or columns.
    """
    tables = [_rows(image) for image in (*wanted, *found)]
    if any(len(table) > MOST_ROWS or table.shape[1] > COLUMNS for table in tables):
        return 1.0
    every = np.concatenate(tables[: len(wanted)])
    whole = not np.issubdtype(wanted[0].dtype, np.floating)
    near = np.maximum(STEADY * every.std(axis=0), SLIGHT * np.abs(every).max(axis=0, initial=0))
    near = near * (not whole)
    shares = [0.0]
    for one, other in zip(tables[: len(wanted)], tables[len(wanted) :], strict=True):
        steps = np.diff(one, axis=0)
        in_order = (steps <= 0).all(axis=0) | (steps >= 0).all(axis=0)
        moved = (np.abs(one - other) > near)[:, in_order]
        shares.extend(moved.mean(axis=0))
        alike = (np.abs(one[:, None] - other) <= near).all(axis=2)
        shares.extend(1 - alike.any(axis=axis).mean() for axis in (0, 1))
    return float(max(shares))


def _rows(values: Array) -> NDArray[np.float64]:
    """One image's output as rows along its longest axis; what is no number is 0."""
    values = np.atleast_1d(np.asarray(values, np.float64))
    rows = np.moveaxis(np.where(np.isfinite(values), values, 0), int(np.argmax(values.shape)), 0)
    return rows.reshape(len(rows), -1)


def _share(wanted: Array, found: Array) -> float:
    if not np.issubdtype(wanted.dtype, np.floating):
        return float(np.mean(wanted != found))
    finite = np.isfinite(wanted)
    difference = np.abs(np.where(finite, wanted, 0.0) - np.where(finite, found, 0.0))
    return float(
        np.mean(difference > STEADY * float(np.std(wanted[finite] if finite.any() else 0)))
    )


def _off(wanted: Array, found: Array) -> NDArray[np.float64]:
    """How far off each of the slices is, which are rows; see ``off``."""
    difference, size = _rms(found - wanted), _rms(wanted)
    if not size.any():
        return np.where(difference > 0.0, math.inf, 0.0)
    difference = np.where(difference > RESOLUTION, difference, 0.0)
    deviation = _rms(wanted - wanted.mean(axis=1, keepdims=True, dtype=np.float64))
    typical, whole = float(np.median(size[size > 0])), float(_rms(size[None])[0])
    least = max(STEADY * typical, FAINT * min(1.0, whole))
    return np.asarray(difference / np.maximum(deviation, np.maximum(STEADY * size, least)))


def _rms(rows: Array) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.square(rows, dtype=np.float64).mean(axis=1)))


def _along(values: Array, axis: int) -> Array:
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _together(images: Outputs) -> Array:
    """One output of all images: images first, or all values in a row where shapes differ."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    return np.concatenate([image.ravel() for image in images])


def _shape(values: Array) -> tuple[int, ...]:
    """Some runtimes have no tensors without axes."""
    return values.shape or (1,)


def _alike_in_kind(one: Array, other: Array) -> bool:
    """Whether both are infinite, or no number, at the same places."""
    if not np.issubdtype(one.dtype, np.floating):
        return True
    one, other = one.reshape(-1), other.reshape(-1)
    finite = np.isfinite(one)
    if not (finite == np.isfinite(other)).all():
        return False
    return bool(np.array_equal(one[~finite], other[~finite], equal_nan=True))


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %" if part < 1 else f"{100 * part:.0f} %"
