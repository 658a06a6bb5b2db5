"""What a model's file takes: its image, in which layout and type, and what fills its other inputs.

Behind the canonical graph all images are float32 [1, channels, height, width]; this is what lies
before it, and what a user's own file is fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Layout = Literal["nchw", "nhwc"]
ImageType = Literal["float32", "float16", "uint8"]
Order = Literal["hw", "wh"]
"""Height before width, or after it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _numbers(value: object) -> object:
    dimensions(value)
    return value


def dimensions(value: object) -> tuple[int, ...]:
    """The shape of a number or of lists of numbers. Raises ValueError where it is neither."""
    if isinstance(value, bool | int | float):
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError("expected a number, or lists of numbers")
    inner = {dimensions(each) for each in value}
    if len(inner) > 1:
        raise ValueError("expected lists of numbers of the same length")
    return (len(value), *inner.pop())


class Constant(_Record):
    """The same ``value`` for each image: a number, or lists of numbers."""

    kind: Literal["constant"]
    value: Annotated[Any, AfterValidator(_numbers)]


class InputSize(_Record):
    """Height and width of the network's input, as of a PaddleDetection model's ``im_shape``."""

    kind: Literal["input_size"]
    order: Order = "hw"


class ImageSize(_Record):
    """Height and width of the image as it was read, as RT-DETR's ``orig_target_sizes``."""

    kind: Literal["image_size"]
    order: Order = "hw"


class ScaleFactor(_Record):
    """Height and width of the resized image over those of the image as it was read."""

    kind: Literal["scale_factor"]
    order: Order = "hw"


Fill = Annotated[
    Constant | InputSize | ImageSize | ScaleFactor,
    Field(discriminator="kind"),
]
"""What an input beside the image is filled with."""


class Filled(_Record):
    """An input beside the image. ``type``: as numpy calls it; ``shape``: of all its values."""

    fill: Fill
    type: str
    shape: tuple[int, ...]

    @property
    def differs(self) -> bool:
        """Whether it is another one for another image, of the same size of the input."""
        return isinstance(self.fill, ImageSize | ScaleFactor)

    def for_one(self, batch: int) -> Filled:
        """The same as a graph of ours takes it, of one image instead of ``batch``, in float32."""
        kind = "float32" if self.type == "float16" else self.type
        one = (1, *self.shape[1:]) if self.is_of_each(batch) else self.shape
        return Filled(fill=self.fill, type=kind, shape=one)

    def is_of_each(self, batch: int) -> bool:
        """Whether it has a row for each of ``batch`` images, more than one."""
        return batch > 1 and len(self.shape) > 1 and self.shape[0] == batch


class ImageForm(_Record):
    """How a file takes its image. ``batch``: how many images it is fixed to at once."""

    layout: Layout = "nchw"
    type: ImageType = "float32"
    batch: int = 1


PLAIN = ImageForm()
"""How every graph takes an image that fqbench wrote."""
