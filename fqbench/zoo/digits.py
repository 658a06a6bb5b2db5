"""Images and scenes composed of real handwritten digits, the same pixels on every machine.

The digits are 1797 images of 8x8 pixels, 0 to 16, in the order of their writers (UCI, "Optical
Recognition of Handwritten Digits", see ``images/README.md``). The parts are cut by index, so that
nearly every writer is in one part only.

Randomness is drawn as integers and turned into pixels with +, -, * and / element by element:
nothing here depends on a mathematics library, whose last bits differ from machine to machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Integers = NDArray[np.int64]

PORTRAIT = 72
"""Side in pixels of an image of one digit."""
SCENE = 160
"""Long side in pixels of a scene."""
_SHORTEST = 112
_EVALUATION_FROM = 1297
_INK = 0.25
"""Share of a digit's colour from which a pixel belongs to its box."""
_FILE = Path(__file__).parent / "images" / "digits.npz"


@dataclass(frozen=True)
class Digits:
    """Digits: ``images`` [n, 8, 8] from 0 to 1, ``labels`` [n] from 0 to 9."""

    images: Floats
    labels: Integers


@dataclass(frozen=True)
class Scene:
    """Several digits: ``pixels`` [h, w, 3] RGB, ``boxes`` [n, 4] x, y, w, h, ``labels`` [n]."""

    pixels: Pixels
    boxes: Integers
    labels: Integers


@lru_cache(maxsize=1)
def _all() -> Digits:
    with np.load(_FILE, allow_pickle=False) as stored:
        return Digits(stored["images"] / 16.0, stored["labels"].astype(np.int64))


def train_digits() -> Digits:
    """The first 1297 digits: training and calibration see only these."""
    return Digits(_all().images[:_EVALUATION_FROM], _all().labels[:_EVALUATION_FROM])


def evaluation_digits() -> Digits:
    """The last 500 digits: only evaluation sees these."""
    return Digits(_all().images[_EVALUATION_FROM:], _all().labels[_EVALUATION_FROM:])


def generator(*key: int) -> np.random.Generator:
    """Random numbers of their own for each key, such as (data set, image)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def portrait(rng: np.random.Generator, digit: Floats) -> Pixels:
    """One digit, [8, 8] from 0 to 1, near the middle of a cluttered image [72, 72, 3] RGB."""
    canvas = _background(rng, PORTRAIT, PORTRAIT)
    height = int(rng.integers(30, 51))
    width = _width(rng, height)
    top = (PORTRAIT - height) // 2 + int(rng.integers(-4, 5))
    left = (PORTRAIT - width) // 2 + int(rng.integers(-4, 5))
    _clutter(rng, canvas, count=int(rng.integers(1, 5)))
    _stamp(rng, canvas, enlarge(digit, height, width, _slant(rng)), top, left)
    return _finish(rng, canvas)


def scene(rng: np.random.Generator, digits: Digits) -> Scene:
    """Three to nine of ``digits``, hardly overlapping; the long side has 160 pixels."""
    sides = [SCENE, int(rng.integers(_SHORTEST, SCENE + 1))]
    if rng.integers(2):
        sides.reverse()
    canvas = _background(rng, *sides)
    _clutter(rng, canvas, count=int(rng.integers(3, 9)))
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    for _ in range(int(rng.integers(3, 10))):
        pick = int(rng.integers(len(digits.labels)))
        height = _digit_height(rng)
        alpha = enlarge(digits.images[pick], height, _width(rng, height), _slant(rng))
        place = _free_place(rng, canvas, alpha, boxes)
        if place is None:
            continue
        _stamp(rng, canvas, alpha, *place)
        boxes.append(_ink_box(alpha, *place))
        labels.append(int(digits.labels[pick]))
    return Scene(
        _finish(rng, canvas),
        np.array(boxes, np.int64).reshape(-1, 4),
        np.array(labels, np.int64),
    )


def enlarge(digit: Floats, height: int, width: int, slant: float = 0.0) -> Floats:
    """Bilinear enlargement of an [8, 8] digit to [height, width], its share of ink from 0 to 1.

    Row and column centres are kept aligned; ``slant`` moves a row sideways by that many of its
    distances from the middle row. What lies outside of the digit is 0.
    """
    row = ((np.arange(height) + 0.5) * 8 / height - 0.5)[:, None]
    column = ((np.arange(width) + 0.5) * 8 / width - 0.5)[None, :] + slant * (row - 3.5)
    padded = np.zeros((12, 12))
    padded[2:10, 2:10] = digit
    row = np.broadcast_to(np.clip(row, -1.5, 8.5) + 2, column.shape)
    column = np.clip(column, -1.5, 8.5) + 2
    y, x = row.astype(np.int64), column.astype(np.int64)
    down, right = row - y, column - x
    upper = padded[y, x] * (1 - right) + padded[y, x + 1] * right
    lower = padded[y + 1, x] * (1 - right) + padded[y + 1, x + 1] * right
    ink = upper * (1 - down) + lower * down
    sharper: Floats = np.clip((ink - 0.2) * 1.8, 0.0, 1.0)
    return sharper


def _slant(rng: np.random.Generator) -> float:
    return int(rng.integers(-35, 36)) / 100


def _width(rng: np.random.Generator, height: int) -> int:
    return height * int(rng.integers(75, 121)) // 100


def _digit_height(rng: np.random.Generator) -> int:
    """14 to 64 pixels, small ones more often: the least of two draws."""
    return int(min(rng.integers(14, 65, size=2)))


def _background(rng: np.random.Generator, height: int, width: int) -> Floats:
    """A colour that varies slowly: a coarse grid of colours, interpolated; [h, w, 3]."""
    cell = 24
    shape = (height // cell + 2, width // cell + 2, 3)
    grid = rng.integers(20, 111, size=3) + rng.integers(-20, 21, size=shape)
    y, x = np.arange(height) // cell, np.arange(width) // cell
    down = (np.arange(height) % cell / cell)[:, None, None]
    right = (np.arange(width) % cell / cell)[None, :, None]
    rows = grid[y] * (1 - down) + grid[y + 1] * down
    return np.asarray(rows[:, x] * (1 - right) + rows[:, x + 1] * right, np.float64)


def _clutter(rng: np.random.Generator, canvas: Floats, count: int) -> None:
    """Draw ``count`` straight strokes, as thick as those of small digits."""
    for _ in range(count):
        y0, x0 = (int(rng.integers(side)) for side in canvas.shape[:2])
        dy, dx = (int(v) for v in rng.integers(-20, 21, size=2))
        thickness = int(rng.integers(1, 10)) / 2
        colour = rng.integers(-40, 41, size=3)
        top, left = max(min(y0, y0 + dy) - 3, 0), max(min(x0, x0 + dx) - 3, 0)
        part = canvas[top : max(y0, y0 + dy) + 4, left : max(x0, x0 + dx) + 4]
        y = np.arange(part.shape[0])[:, None] + (top - y0)
        x = np.arange(part.shape[1])[None, :] + (left - x0)
        along = np.clip((y * dy + x * dx) / max(dy * dy + dx * dx, 1), 0.0, 1.0)
        aside_y, aside_x = y - along * dy, x - along * dx
        part[aside_y * aside_y + aside_x * aside_x <= thickness] += colour


def _stamp(rng: np.random.Generator, canvas: Floats, alpha: Floats, top: int, left: int) -> None:
    """Blend a digit's ink over the canvas in a colour lighter than what is there."""
    height, width = alpha.shape
    part = canvas[top : top + height, left : left + width]
    mean = int(part.astype(np.int64).sum()) // part.size
    colour = mean + int(rng.integers(50, 141)) + rng.integers(-25, 26, size=3)
    part += alpha[..., None] * (np.clip(colour, 0, 255) - part)


def _finish(rng: np.random.Generator, canvas: Floats) -> Pixels:
    """Add grainy noise, the sum of two even draws, and round to 8 bits."""
    grain = int(rng.integers(3, 19))
    noise = rng.integers(-grain, grain + 1, size=(2, *canvas.shape)).sum(axis=0)
    pixels: Pixels = np.clip(np.floor(canvas + noise + 0.5), 0, 255).astype(np.uint8)
    return pixels


def _ink_box(alpha: Floats, top: int, left: int) -> tuple[int, int, int, int]:
    """The tightest x, y, w, h around a digit's ink."""
    rows = np.flatnonzero((alpha >= _INK).any(axis=1))
    columns = np.flatnonzero((alpha >= _INK).any(axis=0))
    x, y = left + int(columns[0]), top + int(rows[0])
    return x, y, int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1


def _free_place(
    rng: np.random.Generator,
    canvas: Floats,
    alpha: Floats,
    boxes: list[tuple[int, int, int, int]],
) -> tuple[int, int] | None:
    """Top, left for a digit's ink to lie clear of ``boxes``; None after twelve tries."""
    height, width = alpha.shape
    for _ in range(12):
        top = int(rng.integers(canvas.shape[0] - height + 1))
        left = int(rng.integers(canvas.shape[1] - width + 1))
        box = _ink_box(alpha, top, left)
        if not any(_overlap(box, other) for other in boxes):
            return top, left
    return None


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Whether two x, y, w, h boxes share a pixel."""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
