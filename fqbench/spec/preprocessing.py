"""How an image becomes a model's input."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fqbench.spec.record import Record

Interpolation = Literal["nearest", "linear", "cubic", "area"]

SCALE_FACTOR_INPUT = "scale_factor"
"""PP-YOLOE's input beside the image: height and width of the resized image over its own."""

Pixels = Annotated[int, Field(gt=0, le=8192)]
Size = tuple[Pixels, Pixels]
"""Height, width in pixels."""


class Letterbox(Record):
    """Resize keeping the aspect ratio, then fill up to ``size`` with ``pad``."""

    kind: Literal["letterbox"]
    size: Size
    align: Literal["center", "top_left"] = "center"
    pad: Annotated[int, Field(ge=0, le=255)] = 114
    enlarge: bool = True
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class Stretch(Record):
    """Resize to ``size``, whatever the aspect ratio."""

    kind: Literal["stretch"]
    size: Size
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class Crop(Record):
    """Resize the short side (not at all where it is left out), then cut the centre."""

    kind: Literal["crop"]
    size: Size
    short_side: Pixels | None = None
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class BoxCrop(Record):
    """Cut out what is in and around a box of the image, for models that look at one object.

    The box grows about its centre to the ratio of ``size``, then ``expand`` times. An image
    without a box is its own.
    """

    kind: Literal["box"]
    size: Size
    expand: Annotated[float, Field(gt=0, le=10)] = 1.25
    interpolation: Literal["linear"] = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


class TextLine(Record):
    """Resize to the height of ``size`` keeping the aspect ratio, narrower where it is too wide;
    what is left on the right is 0 in the tensor."""

    kind: Literal["line"]
    size: Size
    interpolation: Interpolation = "linear"

    @property
    def output(self) -> Size:
        """Height, width of the result."""
        return self.size


Resize = Annotated[Letterbox | Stretch | Crop | BoxCrop | TextLine, Field(discriminator="kind")]


class Preprocess(Record):
    """From an image to a model's input: resize, colour order, ``(pixel * scale - mean) / std``."""

    resize: Resize
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    scale: Annotated[float, Field(gt=0)] = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)

    @property
    def channels(self) -> int:
        """Number of colour channels of the input."""
        return 1 if self.color == "gray" else 3

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> Preprocess:
        for key in ("mean", "std"):
            count, expected = len(getattr(self, key)), sorted({1, self.channels})
            if count not in expected:
                wanted = " or ".join(map(str, expected))
                raise ValueError(f"{key} has {count} values, expected {wanted}")
        return self

    @model_validator(mode="after")
    def _std_of_scaled_pixels(self) -> Preprocess:
        """Mean and deviation are mostly published for values of 0 to 1."""
        if self.scale == 1.0 and max(self.std) < 1.0:
            raise ValueError(
                f"std {max(self.std):g} would enlarge pixels of 0 to 255: give scale"
                " 0.00392156862745098, which is 1/255, where mean and std are of values of 0 to 1"
            )
        return self
