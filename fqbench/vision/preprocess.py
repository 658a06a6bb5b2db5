"""From an image to a model's input: the one function that calibration, evaluation and
benchmark share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fqbench.errors import UsageError
from fqbench.spec import Crop, Letterbox, Preprocess, Stretch
from fqbench.spec.preprocessing import BoxCrop, Size, TextLine
from fqbench.vision.geometry import Box, Geometry
from fqbench.vision.image import Pixels
from fqbench.vision.resample import resize as resize_image
from fqbench.vision.sampling import matrix, sample

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in gray (ITU-R BT.601)."""


LARGEST = 2**26
"""Pixels that an image may be enlarged to, more than any sensible one needs."""


@dataclass(frozen=True)
class Prepared:
    """``tensor``: float32 [1, channels, height, width]; ``geometry``: where it came from."""

    tensor: NDArray[np.float32]
    geometry: Geometry


def prepare(image: Pixels, preprocess: Preprocess, box: Box | None = None) -> Prepared:
    """Resize ``image`` [height, width, 3] (RGB) and compute ``(pixel * scale - mean) / std``.

    ``box``: what is looked at of it, where ``preprocess`` cuts out a box. Raises UsageError for an
    image so long that, resized for a crop, it would fill the memory.
    """
    resize = preprocess.resize
    if isinstance(resize, Letterbox):
        pixels, geometry = letterbox(image, resize)
    elif isinstance(resize, Stretch):
        pixels, geometry = stretch(image, resize)
    elif isinstance(resize, Crop):
        pixels, geometry = crop(image, resize)
    elif isinstance(resize, BoxCrop):
        pixels, geometry = cut_out(image, resize, box)
    else:
        pixels, geometry = text_line(image, resize)
    values = _colors(pixels, preprocess.color).astype(np.float32) * np.float32(preprocess.scale)
    values -= np.asarray(preprocess.mean, dtype=np.float32)
    values /= np.asarray(preprocess.std, dtype=np.float32)
    tensor = values.transpose(2, 0, 1)[None]
    if isinstance(resize, TextLine):
        tensor = _filled(tensor, resize.size[1])
    return Prepared(np.ascontiguousarray(tensor), geometry)


def letterbox(image: Pixels, resize: Letterbox) -> tuple[Pixels, Geometry]:
    """Resize to fit, keeping the aspect ratio, and pad.

    Centred, as YOLOv5 does it: the new size is rounded, an odd rest of padding goes to the
    right and below. At the top left, as YOLOX does it: the new size is cut to whole pixels.
    The geometry is that of whole pixels too, and so up to a pixel more exact than theirs.
    """
    height, width = image.shape[:2]
    factor = min(resize.size[0] / height, resize.size[1] / width)
    if not resize.enlarge:
        factor = min(factor, 1.0)
    whole = round if resize.align == "center" else int
    new = (max(1, whole(height * factor)), max(1, whole(width * factor)))
    top = left = 0
    if resize.align == "center":
        # YOLOv5 rounds the half rest after taking 0.1 off, so that 0.5 goes down.
        top = round((resize.size[0] - new[0]) / 2 - 0.1)
        left = round((resize.size[1] - new[1]) / 2 - 0.1)
    canvas = np.full((*resize.size, 3), resize.pad, dtype=np.uint8)
    resized = resize_image(image, new, resize.interpolation)
    canvas[top : top + new[0], left : left + new[1]] = resized
    return canvas, _geometry(image, new, (top, left))


def stretch(image: Pixels, resize: Stretch) -> tuple[Pixels, Geometry]:
    """Resize to the size asked for, whatever the aspect ratio."""
    pixels = resize_image(image, resize.size, resize.interpolation)
    return pixels, _geometry(image, resize.size, (0, 0))


def crop(image: Pixels, resize: Crop) -> tuple[Pixels, Geometry]:
    """Resize the short side, then cut the centre; what the image lacks is padded with 0.

    As PaddleClas does it: the long side is rounded, of an odd rest more is cut below and right.
    """
    height, width = image.shape[:2]
    factor = resize.short_side / min(height, width) if resize.short_side else 1.0
    new = (max(1, round(height * factor)), max(1, round(width * factor)))
    if new[0] * new[1] > max(LARGEST, height * width):
        raise UsageError(
            f"an image of {width}x{height} pixels is too long for preprocess.resize.short_side"
            f" {resize.short_side}: leave it out of the data set"
        )
    resized = resize_image(image, new, resize.interpolation)
    canvas = np.zeros((*resize.size, 3), dtype=np.uint8)
    to_rows, rows = _centered(new[0], resize.size[0])
    to_columns, columns = _centered(new[1], resize.size[1])
    canvas[to_rows, to_columns] = resized[rows, columns]
    offset = (to_rows.start - rows.start, to_columns.start - columns.start)
    return canvas, _geometry(image, new, offset)


def cut_out(image: Pixels, resize: BoxCrop, box: Box | None) -> tuple[Pixels, Geometry]:
    """Sample what is in and around ``box``, beyond the image 0.

    As the evaluation of top-down keypoints does it (Xiao et al., "Simple Baselines for Human Pose
    Estimation and Tracking", 2018), whose warp places pixels by their indices, in steps of 1/32.
    """
    x, y, wide, high = box or (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    scale = min(resize.size[1] / max(wide, 1.0), resize.size[0] / max(high, 1.0)) / resize.expand
    center = (y + high / 2, x + wide / 2)
    taps, offsets = [], []
    for axis, count in enumerate(resize.size):
        places = (np.arange(count) - count / 2) / scale + center[axis]
        taps.append(matrix(np.rint(places * 32) / 32, image.shape[axis], "zero"))
        # Of edges, which are half a pixel before the centres that have whole indices.
        offsets.append(count / 2 - center[axis] * scale + 0.5 - 0.5 * scale)
    found = sample(image.transpose(2, 0, 1), taps[0], taps[1]).transpose(1, 2, 0)
    pixels = np.clip(np.rint(found), 0, 255).astype(np.uint8)
    height, width = image.shape[:2]
    geometry = Geometry((height, width), (scale, scale), (offsets[0], offsets[1]))
    return pixels, geometry


def text_line(image: Pixels, resize: TextLine) -> tuple[Pixels, Geometry]:
    """Resize to the height, as PaddleOCR does it: the width is rounded up, cut off at the most."""
    height, width = resize.size
    wide = max(1, min(width, math.ceil(height * image.shape[1] / image.shape[0])))
    pixels = resize_image(image, (height, wide), resize.interpolation)
    return pixels, _geometry(image, (height, wide), (0, 0))


def _filled(tensor: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The tensor [1, channels, height, w], with zeros on the right up to ``width``."""
    return np.pad(tensor, ((0, 0), (0, 0), (0, 0), (0, width - tensor.shape[3])))


def _centered(have: int, want: int) -> tuple[slice, slice]:
    """Which of ``want`` pixels are covered, and by which of ``have`` pixels, centre on centre."""
    shared = min(have, want)
    to, start = (want - shared) // 2, (have - shared) // 2
    return slice(to, to + shared), slice(start, start + shared)


def _geometry(image: Pixels, new: Size, offset: tuple[int, int]) -> Geometry:
    """Of ``image`` resized to ``new`` and put down at ``offset``, each (y, x)."""
    height, width = image.shape[:2]
    return Geometry((height, width), (new[0] / height, new[1] / width), offset)


def _colors(pixels: Pixels, color: str) -> Pixels:
    if color == "bgr":
        return pixels[:, :, ::-1]
    if color == "gray":
        return np.asarray(np.rint(pixels @ LUMINANCE), dtype=np.uint8)[:, :, None]
    return pixels
