"""The images that a model is evaluated on, with what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fqbench.data import coco, imagelist
from fqbench.data.sample import Sample
from fqbench.errors import UsageError
from fqbench.spec import Coco, ImageList

__all__ = ["EvaluationSet", "Sample", "open_dataset"]


@dataclass(frozen=True)
class EvaluationSet:
    """Images in a fixed order. For COCO: the annotation file, and category ids in class order."""

    samples: tuple[Sample, ...]
    annotations: Path | None = None
    category_ids: tuple[int, ...] = ()


def open_dataset(dataset: Coco | ImageList) -> EvaluationSet:
    """Read the list of images. Raises UsageError naming the file and what is wrong in it."""
    if isinstance(dataset, Coco):
        listed, categories = coco.read(dataset.images, dataset.annotations)
        annotations: Path | None = dataset.annotations
    else:
        listed, categories, annotations = imagelist.read(dataset.images, dataset.list), (), None
    end = None if dataset.count is None else dataset.start + dataset.count
    samples = listed[dataset.start : end]
    if not samples:
        raise UsageError(
            f"no image is left to evaluate: {len(listed)} are listed, dataset.start is"
            f" {dataset.start}"
        )
    for sample in samples:
        if not sample.path.is_file():
            raise UsageError(
                f"image {sample.path.name} of the data set is not in {sample.path.parent}"
            )
    return EvaluationSet(tuple(samples), annotations, categories)
