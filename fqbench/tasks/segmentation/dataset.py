"""Images with a label map each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from fqbench.data import EvaluationSet, Sample
from fqbench.data.folders import image_files
from fqbench.errors import UsageError
from fqbench.tasks.record import DatasetKind, DatasetSettings

IGNORED = 255
"""Pixels that count for nothing, in VOC, Cityscapes and ADE20K alike."""

NUMBERS = frozenset({"L", "P", "1"})
"""Modes of images whose pixels are numbers of up to 8 bits: of a palette, its indices."""


class LabelMaps(DatasetSettings):
    """A folder of images, and one of label maps: PNG files of the same names, a class a pixel."""

    kind: Literal["label_maps"]
    images: Path
    maps: Path
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The folder that says what is in the images."""
        return self.maps


@dataclass(frozen=True)
class MappedSet(EvaluationSet):
    """``maps``: the folder of the maps of its images."""

    maps: Path = Path()

    @property
    def truth(self) -> tuple[Path, ...]:
        """The map of each image."""
        return tuple(self.maps / f"{sample.path.stem}.png" for sample in self.samples)


def _read(settings: LabelMaps) -> MappedSet:
    """Every image that has a map; images without one are not listed."""
    named = {path.stem: path for path in image_files(settings.images, "dataset.images")}
    maps = [path for path in image_files(settings.maps, "dataset.maps") if path.suffix == ".png"]
    found = [named[path.stem] for path in maps if path.stem in named]
    if len(found) < len(maps) or not maps:
        raise UsageError(
            f"dataset.maps: {len(maps) - len(found)} of {len(maps)} maps (.png) in {settings.maps}"
            f" have no image of their name in {settings.images}"
            ": give each map the name of its image"
        )
    samples = tuple(Sample(number, path) for number, path in enumerate(found, start=1))
    return MappedSet(samples, maps=settings.maps)


def read_map(path: Path) -> NDArray[np.uint8]:
    """The class of each pixel [height, width]. Raises UsageError where the file holds colours."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode not in NUMBERS:
                raise UsageError(
                    f"{path} is an image of mode {image.mode}, expected a class of 0 to 255 a"
                    " pixel: convert its colours to class numbers"
                )
            return np.array(image, np.uint8)
    except OSError as error:
        raise UsageError(
            f"cannot read the label map {path}: {error}; replace it by a PNG of class numbers"
        ) from error


LABEL_MAPS = DatasetKind(settings=LabelMaps, read=_read)
