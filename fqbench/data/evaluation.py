"""The images that a model is evaluated on, with what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fqbench.data import coco, imagelist
from fqbench.data.calibration import image_files
from fqbench.data.sample import Sample, require_files
from fqbench.errors import UsageError
from fqbench.spec import Dataset, Folder, ImageList

__all__ = ["EvaluationSet", "Sample", "open_dataset"]


@dataclass(frozen=True)
class EvaluationSet:
    """Images in a fixed order. For COCO: the annotation file, and category ids in class order."""

    samples: tuple[Sample, ...]
    annotations: Path | None = None
    category_ids: tuple[int, ...] = ()


def open_dataset(dataset: Dataset) -> EvaluationSet:
    """Read the list of images: as many of ``dataset.count`` as there are.

    Raises UsageError naming the file and what is wrong in it, or where no image is left.
    """
    if isinstance(dataset, ImageList):
        return EvaluationSet(_chosen(imagelist.read(dataset.images, dataset.list), dataset))
    if isinstance(dataset, Folder):
        files = image_files(dataset.images, "dataset.images")
        listed_files = tuple(Sample(number, path) for number, path in enumerate(files, start=1))
        return EvaluationSet(_chosen(listed_files, dataset))
    listed = coco.read(dataset.images, dataset.annotations)
    samples = _chosen(listed.samples, dataset)
    if listed.annotated.isdisjoint(sample.image_id for sample in samples):
        raise UsageError(
            f"{dataset.annotations}: none of the {len(samples)} images to evaluate has an object"
        )
    return EvaluationSet(samples, dataset.annotations, listed.category_ids)


def _chosen(listed: tuple[Sample, ...], dataset: Dataset) -> tuple[Sample, ...]:
    end = None if dataset.count is None else dataset.start + dataset.count
    samples = listed[dataset.start : end]
    if not samples:
        raise UsageError(
            f"dataset: no image is left to evaluate, {len(listed)} are listed and dataset.start"
            f" is {dataset.start}"
        )
    require_files(tuple(sample.path for sample in samples), "dataset.images")
    return samples
