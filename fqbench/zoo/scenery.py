"""Images for models with synthetic weights: noise with the spectrum of photographs, and shapes.

The amplitudes of photographs fall as 1 / frequency (Field 1987). Shapes bring edges, and areas
of one color. Nothing in them can be recognized: they are for ranges and for time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 480, 640
_MEAN, _SPREAD = 114.0, 55.0
"""Of pixels in COCO, of 0 to 255."""
_COLORFULNESS = 0.35
_SHAPES = 12


def landscape(rng: np.random.Generator) -> NDArray[np.uint8]:
    """One image [480, 640, 3] RGB."""
    gray, colors = _noise(rng), np.stack([_noise(rng) for _ in range(3)], axis=-1)
    canvas = _MEAN + _SPREAD * (gray[:, :, None] + _COLORFULNESS * colors)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for _ in range(_SHAPES):
        center = rng.uniform((0, 0), (HEIGHT, WIDTH))
        radii = rng.uniform(10, 120, size=2)
        far = ((y - center[0]) / radii[0], (x - center[1]) / radii[1])
        round_ = rng.integers(2)
        inside = far[0] ** 2 + far[1] ** 2 < 1 if round_ else np.maximum(*np.abs(far)) < 1
        canvas[inside] = 0.3 * canvas[inside] + 0.7 * rng.uniform(0, 255, size=3)
    return np.asarray(np.clip(np.rint(canvas), 0, 255), dtype=np.uint8)


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """[480, 640] of mean 0 and standard deviation 1, amplitude falling as 1 / frequency."""
    spectrum = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH)))
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency, s=(HEIGHT, WIDTH))
    return np.asarray(noise / noise.std())
