"""How an image becomes a model's input, by the names that the tool's users know.

A name is looked up and never run. What it means is what FastDeploy reads when it infers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError

from fqbench.errors import UsageError
from fqbench.spec import Crop, Letterbox, Preprocess, Stretch
from fqbench.spec.mistake import sentence
from fqbench.spec.preprocessing import BoxCrop, Size, TextLine
from fqbench.zoo.processing import IMAGENET_MEAN, IMAGENET_STD

OF_UNIT = 1 / 255
"""Factor from a pixel's 0..255 to 0..1."""

SHORT_SIDE = 256 / 224
"""Short side that an image is resized to before a classifier's crop, over the crop's side."""


@dataclass(frozen=True)
class _Known:
    """What a name means at the size of the model's input; ``size`` where the model leaves it."""

    size: Size
    read: Callable[[Size], Preprocess]


def _letterboxed(size: Size) -> Preprocess:
    return Preprocess(resize=Letterbox(kind="letterbox", size=size), scale=OF_UNIT)


def _cropped(size: Size) -> Preprocess:
    side = round(min(size) * SHORT_SIDE)
    return Preprocess(
        resize=Crop(kind="crop", size=size, short_side=side),
        scale=OF_UNIT,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def _stretched(size: Size) -> Preprocess:
    return _stretched_plus(size).model_copy(update={"mean": IMAGENET_MEAN, "std": IMAGENET_STD})


def _stretched_plus(size: Size) -> Preprocess:
    resize = Stretch(kind="stretch", size=size, interpolation="cubic")
    return Preprocess(resize=resize, scale=OF_UNIT)


def _as_it_is(size: Size) -> Preprocess:
    return Preprocess(
        resize=Crop(kind="crop", size=size), scale=OF_UNIT, mean=(0.5,) * 3, std=(0.5,) * 3
    )


KNOWN: Mapping[str, _Known] = MappingProxyType(
    {
        "yolo_image_preprocess": _Known((640, 640), _letterboxed),
        "cls_image_preprocess": _Known((224, 224), _cropped),
        "ppyoloe_withNMS_image_preprocess": _Known((640, 640), _stretched),
        "ppyoloe_plus_withNMS_image_preprocess": _Known((640, 640), _stretched_plus),
        "ppseg_cityscapes_ptq_preprocess": _Known((1024, 2048), _as_it_is),
    }
)

REFUSED = MappingProxyType(
    {
        "ppseg_cityscapes_qat_preprocess": "it crops and colours images at random, which"
        " distillation does not need: use ppseg_cityscapes_ptq_preprocess",
    }
)


def reading(value: object, size: tuple[int | None, int | None]) -> Preprocess:
    """What ``value``, a name or a mapping as in a spec file, means for a model's input.

    ``size``: height and width of the input, None where the model leaves them free. Raises
    UsageError with what is wrong.
    """
    if isinstance(value, Mapping):
        return _mapped(value)
    if value in REFUSED:
        raise UsageError(f"{value} is not possible: {REFUSED[str(value)]}")
    known = KNOWN.get(str(value))
    if known is None:
        raise UsageError(
            f"there is no preprocessing {value!r}: known are {', '.join(KNOWN)}; or write a mapping"
            " as the key preprocess of a spec file"
        )
    height, width = (asked or usual for asked, usual in zip(size, known.size, strict=True))
    return known.read((height, width))


def _mapped(value: Mapping[str, object]) -> Preprocess:
    try:
        return Preprocess.model_validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        raise UsageError(sentence(error.errors()[0], Preprocess.model_json_schema())) from error


def described(preprocess: Preprocess) -> str:
    """In words, for a report."""
    resize = preprocess.resize
    how = {
        Letterbox: "resized keeping the aspect ratio and padded",
        Stretch: "resized, whatever the aspect ratio",
        Crop: "the centre cut out",
        BoxCrop: "a box cut out",
        TextLine: "resized to the height and padded on the right",
    }[type(resize)]
    if isinstance(resize, Letterbox):
        how += f" with {resize.pad}, {'centred' if resize.align == 'center' else 'at the top left'}"
    if isinstance(resize, Crop) and resize.short_side is not None:
        how = f"short side resized to {resize.short_side}, {how}"
    height, width = resize.output
    values = f"scale {preprocess.scale:.6g}, mean {_shown(preprocess.mean)}"
    return (
        f"{how}, to {height}x{width}, {resize_filter(preprocess)}, {preprocess.color.upper()},"
        f" {values}, std {_shown(preprocess.std)}"
    )


def resize_filter(preprocess: Preprocess) -> str:
    """The interpolation's name."""
    return f"{preprocess.resize.interpolation} interpolation"


def _shown(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
