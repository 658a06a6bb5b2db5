"""Which input takes the image, in which layout, and what may fill the others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fqbench.errors import UsageError
from fqbench.spec.contents import Contents
from fqbench.spec.inputs import Fill, ImageSize, InputSize, Layout, ScaleFactor
from fqbench.spec.interface import IMAGE_RANK, image_input
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.tasks.recognition import Sureness, noted_size
from fqbench.tasks.record import Size
from fqbench.tasks.shapes import FREE, shown

CHANNELS = (3, 1)

FILLS: Mapping[str, Fill] = {
    "orig_target_sizes": ImageSize(kind="image_size", order="wh"),
    "im_shape": InputSize(kind="input_size"),
    SCALE_FACTOR_INPUT: ScaleFactor(kind="scale_factor"),
}
"""What inputs beside the image hold by the names that exporters of detectors give them."""

SIZES = ((640, 640), (224, 224), (48, 320), (32, 320), (512, 512))
"""Heights and widths that a model is tried at where its file leaves them open."""


@dataclass(frozen=True)
class ImageInput:
    """The input that takes the image. ``size``: height, width; FREE where left open."""

    name: str
    layout: Layout
    layout_sureness: Sureness
    channels: int
    size: tuple[int, int]
    type: str
    shape: tuple[int, ...]

    @property
    def fixed(self) -> bool:
        """Whether the file says both sides."""
        return FREE not in self.size

    def sizes(self, metadata: Mapping[str, str]) -> Iterator[tuple[Size, bool]]:
        """Sizes to try, and whether the file states each."""
        noted = noted_size(metadata)
        if self.fixed or noted is not None:
            yield self._filled(noted or self.size), True
            return
        yield from ((size, False) for size in dict.fromkeys(map(self._filled, SIZES)))

    def _filled(self, size: Size) -> Size:
        """The file's own sides, those that it leaves open from ``size``."""
        height, width = (own if own != FREE else s for own, s in zip(self.size, size, strict=True))
        return height, width


def find_image(contents: Contents) -> ImageInput:
    """The input that takes the image. Raises UsageError where none, or more than one, may."""
    try:
        name = image_input(contents.inputs, FILLS)
    except UsageError as error:
        raise UsageError(f"{error}: write the spec by hand, with the key other_inputs") from error
    shape = tuple(contents.inputs[name])
    kind = contents.types.get(name, "float32")
    if len(shape) != IMAGE_RANK:
        raise UsageError(
            f"input {name!r} has shape {shown(shape)}, expected an image: batch, channels, height"
            " and width"
        )
    layout, sureness = _layout(shape)
    channels = shape[1] if layout == "nchw" else shape[3]
    if channels not in (FREE, *CHANNELS):
        raise UsageError(
            f"input {name!r} has shape {shown(shape)}, expected 1 or 3 channels, as images have"
        )
    size = (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])
    count = 3 if channels == FREE else channels
    return ImageInput(name, layout, sureness, count, size, kind, shape)


def _layout(shape: tuple[int, ...]) -> tuple[Layout, Sureness]:
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first != last:
        certain = FREE not in (shape[1], shape[3])
        return ("nchw" if first else "nhwc"), ("sure" if certain else "likely")
    return "nchw", "guess"


def fills(contents: Contents, image: str) -> dict[str, Fill]:
    """What fills the inputs beside the image. Raises UsageError where nothing is known of one."""
    others = [name for name in contents.inputs if name != image]
    for name in others:
        if name not in FILLS:
            kind = contents.types.get(name, "float32")
            raise UsageError(
                f"nothing is known of what fills the input {name!r} ({kind}"
                f" {shown(contents.inputs[name])}): write the spec by hand, with the key"
                " other_inputs"
            )
    return {name: FILLS[name] for name in others}
