"""Small pictures of answers: JPEG files in base64, as a report embeds them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from fqbench.examine.record import Picture
from fqbench.vision.image import Pixels

LONGEST = 320
"""Of a picture's sides, in pixels."""

SMALL = 160
"""Images whose longest side is shorter are enlarged to at least this."""

QUALITY = 75
"""Of JPEG, where 95 is its best."""

Draw = Callable[[Pixels, Any, float], Pixels]


def picture(image: Pixels, fp32: Any, int8: Any, draw: Draw) -> Picture:
    """``image`` [height, width, 3] with each of both answers drawn on it, at most ``LONGEST``.

    It is resized before it is drawn on, so lines and letters are as wide on every image.
    """
    small, scale = resized(image)
    drawn = [_bounded(draw(small, answer, scale)) for answer in (fp32, int8)]
    height, width = (max(side.shape[axis] for side in drawn) for axis in (0, 1))
    return Picture(_encoded(drawn[0]), _encoded(drawn[1]), width, height)


def resized(image: Pixels) -> tuple[Pixels, float]:
    """The image with its longest side from ``SMALL`` to ``LONGEST``, and by what it was multiplied.

    Small images are enlarged by whole factors, so that their pixels can be seen.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= LONGEST:
        factor = max(math.ceil(SMALL / longest), 1)
        return image.repeat(factor, axis=0).repeat(factor, axis=1), float(factor)
    scale = LONGEST / longest
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)), scale


def _bounded(image: Pixels) -> Pixels:
    """What a task has drawn, no larger than twice ``LONGEST``: another package's may be any."""
    return np.asarray(image[: 2 * LONGEST, : 2 * LONGEST])


def _encoded(image: Pixels) -> str:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=QUALITY, optimize=True)
    return base64.b64encode(content.getvalue()).decode("ascii")
