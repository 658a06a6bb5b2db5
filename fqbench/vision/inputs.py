"""The tensors of a model's inputs: the image as its file takes it, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.spec.inputs import PLAIN, Constant, Filled, ImageForm, ImageSize, InputSize
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT, Size
from fqbench.vision.geometry import Geometry
from fqbench.vision.preprocess import Prepared

Tensor = NDArray[Any]

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)


def model_inputs(
    prepared: Prepared,
    names: Sequence[str],
    form: ImageForm = PLAIN,
    others: Mapping[str, Filled] | None = None,
) -> list[Tensor]:
    """The tensors of a model's inputs, in the order of ``names``.

    ``others``: those beside the image; an input ``scale_factor`` is filled without being listed.
    """
    known, geometry = others or {}, prepared.geometry
    size = (prepared.tensor.shape[2], prepared.tensor.shape[3])
    tensors: list[Tensor] = []
    for name in names:
        if name in known:
            tensors.append(filled(known[name], geometry, size))
        elif name == SCALE_FACTOR_INPUT:
            tensors.append(np.array([geometry.scale], dtype=np.float32))
        else:
            tensors.append(as_taken(prepared.tensor, form))
    return tensors


def filled(given: Filled, geometry: Geometry, size: Size) -> Tensor:
    """What an input beside the image holds; ``size``: height and width of the image's tensor."""
    if not isinstance(given.fill, Constant | InputSize):
        of_image = isinstance(given.fill, ImageSize)
        pair = geometry.image_size if of_image else geometry.scale
        return _shaped(_ordered(pair, given.fill.order), given)
    return constant(given, size)


def constant(given: Filled, size: Size) -> Tensor:
    """What an input holds that is the same for each image, at the ``size`` of its tensor.

    Raises ValueError for one that differs from image to image.
    """
    if isinstance(given.fill, Constant):
        return _shaped(given.fill.value, given)
    if isinstance(given.fill, InputSize):
        return _shaped(_ordered(size, given.fill.order), given)
    raise ValueError(f"{given.fill.kind} differs from image to image")


def as_taken(image: Tensor, form: ImageForm) -> Tensor:
    """An image [n, channels, height, width] of float32 as a file takes it.

    Of a file of whole numbers, pixels are such numbers already.
    """
    turned = image.transpose(TO_NHWC) if form.layout == "nhwc" else image
    return np.ascontiguousarray(turned, dtype=form.type)


def _ordered(pair: tuple[float, float], order: str) -> tuple[float, float]:
    return pair if order == "hw" else (pair[1], pair[0])


def _shaped(value: Any, given: Filled) -> Tensor:
    # A copy: what is broadcast may not be written, and some runtimes take no such memory.
    return np.array(np.broadcast_to(np.asarray(value), given.shape), dtype=given.type)
