"""Image files as pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fqbench.errors import UsageError

Pixels = NDArray[np.uint8]


def read_image(path: Path) -> Pixels:
    """Pixels [height, width, 3], RGB, 0..255, of a file in any format that Pillow reads.

    The orientation that a camera noted beside the pixels is not applied: annotations, COCO's
    among them, are in coordinates of the stored pixels. Raises UsageError where the file is
    missing, no image, cut off, or so large that it must be an attack.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(_eight_bits(image).convert("RGB"))
    except UnidentifiedImageError as error:
        raise UsageError(f"{path} is not an image that Pillow can read") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"cannot read image {path}: {error}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UsageError(f"image {path} is too large to be read safely") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit gray to 8 bits, where Pillow's own conversion would clip it."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    return image
