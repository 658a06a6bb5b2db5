"""The images that a model is evaluated on, with what is in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fqbench.data import coco, imagelist
from fqbench.data.folders import class_folders, image_files, labelled
from fqbench.data.sample import Sample, require_files
from fqbench.errors import UsageError
from fqbench.spec import Coco, Dataset, Folder, ImageList
from fqbench.tasks.registry import dataset_kinds

__all__ = ["EvaluationSet", "Sample", "open_dataset"]


@dataclass(frozen=True)
class EvaluationSet:
    """Images in a fixed order. For COCO: the annotation file, and category ids in class order.

    ``annotations``: the file that says what is in the images, where their labels do not.
    ``classes``: how many there are, None where the data set does not say. What a kind of a task's
    own reads may be a subclass, with more of it.
    """

    samples: tuple[Sample, ...]
    annotations: Path | None = None
    category_ids: tuple[int, ...] = ()
    classes: int | None = None

    @property
    def truth(self) -> tuple[Path, ...]:
        """Files that say what is in the images, where their labels do not."""
        return () if self.annotations is None else (self.annotations,)


def open_dataset(dataset: Dataset) -> EvaluationSet:
    """Read the list of images: as many of ``dataset.count`` as there are.

    Raises UsageError naming the file and what is wrong in it, or where no image is left.
    """
    if isinstance(dataset, ImageList):
        return _classified(dataset)
    if isinstance(dataset, Folder):
        files = image_files(dataset.images, "dataset.images")
        listed_files = tuple(Sample(number, path) for number, path in enumerate(files, start=1))
        return EvaluationSet(_chosen(listed_files, dataset))
    if not isinstance(dataset, Coco):
        read = dataset_kinds()[dataset.kind].read(dataset)
        return replace(read, samples=_chosen(read.samples, dataset))
    listed = coco.read(dataset.images, dataset.annotations)
    samples = _chosen(listed.samples, dataset)
    if listed.annotated.isdisjoint(sample.image_id for sample in samples):
        raise UsageError(
            f"{dataset.annotations}: none of the {len(samples)} images to evaluate has an object"
            ": choose others by dataset.start and dataset.count"
        )
    categories = listed.category_ids
    return EvaluationSet(samples, dataset.annotations, categories, len(categories))


def _classified(dataset: ImageList) -> EvaluationSet:
    """By the list file or, without one, by the folders of classes."""
    if dataset.list is not None:
        return EvaluationSet(_chosen(imagelist.read(dataset.images, dataset.list), dataset))
    folders = class_folders(dataset.images, "dataset.images")
    if not folders:
        raise UsageError(
            f"dataset.images: {dataset.images} has no folders of classes: name a list file by"
            " dataset.list"
        )
    samples = labelled(folders, "dataset.images")
    return EvaluationSet(_chosen(samples, dataset), classes=len(folders))


def _chosen(listed: tuple[Sample, ...], dataset: Dataset) -> tuple[Sample, ...]:
    every: int = getattr(dataset, "every", 1)
    end = None if dataset.count is None else dataset.start + dataset.count * every
    samples = listed[dataset.start : end : every]
    if not samples:
        raise UsageError(
            f"dataset: no image is left to evaluate, {len(listed)} are listed and dataset.start"
            f" is {dataset.start}"
            ": choose a smaller dataset.start, or give more images"
        )
    require_files(tuple(sample.path for sample in samples), "dataset.images")
    return samples
