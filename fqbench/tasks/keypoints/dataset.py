"""Persons of COCO's annotations, each cut out for a model that looks at one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from fqbench.data import EvaluationSet, Sample
from fqbench.data.sample import confined
from fqbench.errors import UsageError
from fqbench.tasks.record import DatasetKind, DatasetSettings

Length = Annotated[FiniteFloat, Field(ge=0)]


class CocoPersons(DatasetSettings):
    """Of COCO's person annotations each with a keypoint, by id, in the box that it notes."""

    kind: Literal["coco_persons"]
    images: Path
    annotations: Path
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file that says what is in the images."""
        return self.annotations


@dataclass(frozen=True)
class PersonSet(EvaluationSet):
    """``image_id`` of a sample is the id of its annotation."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Image(_Entry):
    id: int
    file_name: Annotated[str, Field(min_length=1)]


class _Person(_Entry):
    id: int
    image_id: int
    bbox: tuple[FiniteFloat, FiniteFloat, Length, Length]
    keypoints: tuple[FiniteFloat, ...] = ()
    num_keypoints: Annotated[int, Field(ge=0)] = 0
    iscrowd: int = 0


class _Content(_Entry):
    images: list[_Image]
    annotations: list[_Person]


def _read(settings: CocoPersons) -> PersonSet:
    path = settings.annotations
    try:
        content = _Content.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; name a file that can be read"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path}, {place}: not COCO's keypoints: {first['msg']}"
            "; correct the file, or name another one"
        ) from error
    files = {i.id: confined(settings.images, i.file_name, path) for i in content.images}
    persons = sorted(content.annotations, key=lambda person: person.id)
    samples = tuple(
        Sample(person.id, files[person.image_id], box=person.bbox)
        for person in persons
        if person.num_keypoints and not person.iscrowd and person.image_id in files
    )
    if not samples:
        raise UsageError(
            f"{path} notes keypoints of no person in its images"
            ": choose others by dataset.start and dataset.count"
        )
    return PersonSet(samples, path)


def persons(data: EvaluationSet) -> Mapping[int, list[dict[str, Any]]]:
    """The persons that count, by the id of their image, as COCO's file notes them.

    Of a ``PersonSet`` those that are its samples, else all in its images: those without keypoints
    excuse what is found of them.
    """
    assert data.annotations is not None
    content = json.loads(data.annotations.read_text(encoding="utf-8"))
    chosen: Collection[int] = {sample.image_id for sample in data.samples}
    key = "id" if isinstance(data, PersonSet) else "image_id"
    found: dict[int, list[dict[str, Any]]] = {}
    for entry in content["annotations"]:
        if entry[key] in chosen and len(entry.get("keypoints", ())) >= 3:
            entry.pop("segmentation", None)
            found.setdefault(entry["image_id"], []).append(entry)
    return found


COCO_PERSONS = DatasetKind(settings=CocoPersons, read=_read)
