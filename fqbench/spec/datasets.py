"""The images that a model is evaluated on, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from fqbench.errors import UsageError
from fqbench.tasks.record import DatasetSettings
from fqbench.tasks.registry import dataset_kinds


class Coco(DatasetSettings):
    """A folder of images and COCO annotations; ``count`` images from ``start`` on, by id."""

    kind: Literal["coco"]
    images: Path
    annotations: Path
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file that says what is in the images."""
        return self.annotations


class ImageList(DatasetSettings):
    """A folder of images and a text file with ``file class`` a line, classes from 0.

    Without that file: a folder of images per class, class i being the i-th folder by name.
    """

    kind: Literal["imagenet"]
    images: Path
    list: Path | None = None
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file or the folder that says what is in the images."""
        return self.list or self.images


class Folder(DatasetSettings):
    """A folder of images of which nothing is known: time and agreement, but no accuracy.

    ``needs`` says what accuracy would need.
    """

    kind: Literal["folder"]
    images: Path
    needs: Annotated[str, Field(min_length=3)] = "images with labels"
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None


OWN_DATASETS: tuple[type[DatasetSettings], ...] = (Coco, ImageList, Folder)


class _AnyDataset:
    """Settings of fqbench's own data sets, or of a kind that an installed task brings."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        own = {get_args(s.model_fields["kind"].annotation)[0]: s for s in OWN_DATASETS}
        brought = {kind: known.settings for kind, known in dataset_kinds().items()}
        if taken := own.keys() & brought.keys():
            raise UsageError(
                f"dataset.kind {min(taken)!r} of a task is that of one of fqbench's own data sets:"
                " uninstall the package of the task"
            )
        known = {kind: handler.generate_schema(s) for kind, s in {**own, **brought}.items()}
        return core_schema.tagged_union_schema(known, discriminator="kind")


Dataset = Annotated[DatasetSettings, _AnyDataset()]
