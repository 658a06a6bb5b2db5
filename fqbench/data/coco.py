"""COCO annotation files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from fqbench.data.sample import Sample, confined
from fqbench.errors import UsageError
from fqbench.vision.geometry import Box

Length = Annotated[FiniteFloat, Field(ge=0)]
Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Entry(BaseModel):
    """Only what is evaluated is checked; other keys may hold anything."""

    model_config = ConfigDict(frozen=True, strict=True)


class _Image(_Entry):
    id: Id
    file_name: Annotated[str, Field(min_length=1)]


class _Annotation(_Entry):
    image_id: int
    category_id: int
    bbox: tuple[FiniteFloat, FiniteFloat, Length, Length]
    area: Length = 0.0
    iscrowd: Annotated[int, Field(ge=0, le=1)] = 0


class _Category(_Entry):
    id: Id


class _Content(_Entry):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: Annotated[list[_Category], Field(min_length=1)]


@dataclass(frozen=True)
class CocoSet:
    """What an annotation file lists.

    ``samples``: by id; ``category_ids``: in the order of a model's classes, ascending;
    ``annotated``: ids of the images with an object that counts (a crowd does not).
    """

    samples: tuple[Sample, ...]
    category_ids: tuple[int, ...]
    annotated: frozenset[int]


def read(images: Path, annotations: Path) -> CocoSet:
    """Read a file of annotations. Raises UsageError where it is not COCO's."""
    content = _content(annotations)
    samples = tuple(
        Sample(image.id, confined(images, image.file_name, annotations))
        for image in sorted(content.images, key=lambda image: image.id)
    )
    _require_unique([sample.image_id for sample in samples], annotations, "images")
    categories = sorted(category.id for category in content.categories)
    _require_unique(categories, annotations, "categories")
    unknown = {a.category_id for a in content.annotations} - set(categories)
    if unknown:
        raise UsageError(
            f"{annotations}: annotations have category_id {min(unknown)}, which is not in"
            " 'categories'"
            ": correct the annotations"
        )
    annotated = frozenset(a.image_id for a in content.annotations if not a.iscrowd)
    return CocoSet(samples, tuple(categories), annotated)


def largest_boxes(images: Path, annotations: Path) -> dict[Path, Box]:
    """The largest box of the first category in each image that has one, by the image's path.

    The first is the one of the least id; crowds do not count. Raises UsageError as ``read``.
    """
    content = _content(annotations)
    paths = {i.id: confined(images, i.file_name, annotations) for i in content.images}
    first = min(category.id for category in content.categories)
    found: dict[Path, Box] = {}
    for entry in sorted(content.annotations, key=lambda a: a.bbox[2] * a.bbox[3]):
        counts = entry.category_id == first and not entry.iscrowd
        if counts and entry.image_id in paths and min(entry.bbox[2:]) > 0:
            found[paths[entry.image_id]] = entry.bbox
    return found


def _content(path: Path) -> _Content:
    try:
        return _Content.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}"
            "; name a file that can be read by dataset.annotations"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f"{path}, {place}" if place else str(path)
        raise UsageError(
            f"{where}: not COCO annotations: {first['msg']}"
            "; correct the file, or name another by dataset.annotations"
        ) from error


def _require_unique(ids: list[int], path: Path, key: str) -> None:
    """Raise UsageError where two neighbours of the sorted ``ids`` are equal."""
    for one, other in pairwise(ids):
        if one == other:
            raise UsageError(f"{path}: two of {key!r} have the id {one}")
