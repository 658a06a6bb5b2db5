"""The usual ways to scale pixels, by which most published networks were trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fqbench.spec.preprocessing import Preprocess

UNIT_SCALE = 1 / 255


@dataclass(frozen=True)
class Normalization:
    """``(pixel * scale - mean) / std``; mean and std of red, green and blue, or one for all."""

    name: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fields(self, color: str) -> dict[str, Any]:
        """As ``Preprocess`` has it, in the order of the colors of the input.

        For gray, those of a color are averaged.
        """
        mean, std = self.mean, self.std
        if color == "bgr":
            mean, std = mean[::-1], std[::-1]
        elif color == "gray":
            mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        return {"scale": self.scale, "mean": mean, "std": std}


PIXELS = Normalization("pixels as they are, 0 to 255", 1.0, (0.0,), (1.0,))
UNIT = Normalization("0 to 1", UNIT_SCALE, (0.0,), (1.0,))
SYMMETRIC = Normalization("-1 to 1", 2 * UNIT_SCALE, (1.0,), (1.0,))
IMAGENET = Normalization(
    "ImageNet's mean and deviation", UNIT_SCALE, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
)

NORMALIZATIONS = (UNIT, IMAGENET, SYMMETRIC, PIXELS)
"""What candidates are made of."""


def normalization_of(preprocess: Preprocess) -> Normalization | None:
    """The usual one that ``preprocess`` holds; None for any other."""
    for known in NORMALIZATIONS:
        if normalized(preprocess, known) == preprocess:
            return known
    return None


def normalized(preprocess: Preprocess, by: Normalization) -> Preprocess:
    """``preprocess`` with another normalization."""
    return preprocess.model_copy(update=by.fields(preprocess.color))


def in_color(preprocess: Preprocess, color: str) -> Preprocess:
    """``preprocess`` with the colors in another order, each with its own mean and deviation."""
    turned: dict[str, Any] = {"color": color}
    if {preprocess.color, color} == {"rgb", "bgr"}:
        turned |= {"mean": preprocess.mean[::-1], "std": preprocess.std[::-1]}
    return preprocess.model_copy(update=turned)


def usual(resize: Any, by: Normalization, color: str = "rgb") -> Preprocess:
    """A ``Preprocess`` of a resize and a usual normalization."""
    return Preprocess(resize=resize, color=color, **by.fields(color))
