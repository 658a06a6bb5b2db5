"""Image files as pixels."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fqbench.errors import UsageError

Pixels = NDArray[np.uint8]

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What is read. Others that Pillow knows start programs (EPS) or are not photographs."""

SIXTEEN_BITS = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})


class _Warnings:
    """Off while any thread reads an image, but for that of a bomb, which is an error.

    ``catch_warnings`` by itself is for one thread: one that leaves would undo another's filters.
    """

    def __init__(self) -> None:
        self._lock, self._readers = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._readers += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._before.__exit__(None, None, None)


_WARNINGS = _Warnings()


def read_image(path: Path) -> Pixels:
    """Pixels [height, width, 3], RGB, 0..255, of the file's first picture.

    The orientation that a camera noted beside the pixels is not applied: annotations, COCO's
    among them, are in coordinates of the stored pixels. Gray becomes three equal channels,
    CMYK and palettes become RGB, transparency is dropped, 16 bits are cut to the upper 8.
    Raises UsageError where the file is missing, no image, cut off, or so large that it must be
    an attack.
    """
    try:
        with _WARNINGS, Image.open(path, formats=FORMATS) as image:
            return _rgb(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UsageError(
            f"image {path} is larger than the {Image.MAX_IMAGE_PIXELS} pixels that are read"
            ": make it smaller or take it out"
        ) from error
    except UnidentifiedImageError as error:
        raise UsageError(
            f"{path} is not an image of a known format: {', '.join(FORMATS)}"
        ) from error
    except Exception as error:  # Pillow's decoders raise almost anything for a broken file.
        reason = getattr(error, "strerror", None) or error or type(error).__name__
        raise UsageError(
            f"cannot read image {path}: {' '.join(str(reason).split())}; replace it or take it out"
        ) from error


def _rgb(image: Image.Image) -> Pixels:
    if image.mode in SIXTEEN_BITS:
        # Pillow's own conversion would clip at 255 instead of scaling.
        upper = np.asarray(image).clip(0, 65535) >> 8
        return np.repeat(upper.astype(np.uint8)[:, :, None], 3, axis=2)
    return np.array(image.convert("RGB"))
