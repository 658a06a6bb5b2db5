"""What a user's images and labels may be read as: by trying, kind by kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fqbench.data import open_dataset
from fqbench.data.calibration import calibration_paths
from fqbench.data.folders import class_folders, image_files
from fqbench.errors import UsageError
from fqbench.spec.datasets import OWN_DATASETS, Dataset, Folder
from fqbench.spec.quantization import Calibration
from fqbench.tasks.record import DatasetSettings
from fqbench.tasks.registry import dataset_kinds

MOST_CALIBRATING = 64
"""Images that are set apart for calibration, at most half of all."""


def images_in(folder: Path) -> tuple[Path, ...]:
    """Images in a folder, or in folders of classes in it. Raises UsageError where there is none."""
    found = image_files(folder, "--images")
    if not found:
        for inner in class_folders(folder, "--images"):
            found.extend(image_files(inner, "--images"))
    if not found:
        raise UsageError(f"--images: there is no image in {folder}, choose a folder of some")
    return tuple(found)


def readable(images: Path, labels: Path | None) -> tuple[DatasetSettings, ...]:
    """The data sets that the labels can be read as, each with images to evaluate.

    Without ``labels``: folders of classes, or none. Raises UsageError where they are of no kind.
    """
    found, reasons = [], []
    for settings in _settings(images, labels):
        try:
            open_dataset(settings)
            found.append(settings)
        except UsageError as error:
            reasons.append(f"{settings.kind}: {error}")
    if labels is not None and not found:
        raise UsageError(
            f"--labels {labels} cannot be read: {'; '.join(reasons)}: correct it, or leave it out"
        )
    return tuple(found)


def _settings(images: Path, labels: Path | None) -> Iterator[DatasetSettings]:
    """Every kind of data sets, with the labels where it has them."""
    kinds = [*OWN_DATASETS, *(known.settings for known in dataset_kinds().values())]
    for kind in kinds:
        paths = [name for name, field in kind.model_fields.items() if _is_path(field.annotation)]
        others = [name for name in paths if name != "images"]
        if kind is Folder or len(others) != 1:
            continue
        values: dict[str, Any] = {"kind": _name(kind), "images": images}
        if labels is not None:
            values[others[0]] = labels
        try:
            yield kind.model_validate(values)
        except ValidationError:
            continue  # It needs labels.


def _is_path(annotation: object) -> bool:
    return annotation in (Path, Path | None)


def _name(kind: type[DatasetSettings]) -> str:
    from typing import get_args

    name: str = get_args(kind.model_fields["kind"].annotation)[0]
    return name


def split(dataset: Dataset, calibration: Path | None) -> tuple[Dataset, Calibration | None]:
    """The data set, and images to calibrate with that are not among it.

    Those of the folder ``calibration``, or else the first of the data set's own, which are then
    not evaluated. None where its images cannot be divided like that.
    Raises UsageError where images without labels lie in further folders.
    """
    if isinstance(dataset, Folder) and not image_files(dataset.images, "--images"):
        raise UsageError(
            f"--images: all images of {dataset.images} lie in folders in it: name one of these,"
            " or their labels by --labels"
        )
    if calibration is not None:
        count = min(MOST_CALIBRATING, len(images_in(calibration)))
        return dataset, Calibration(images=calibration, count=count)
    total = len(open_dataset(dataset).samples)
    count = min(MOST_CALIBRATING, total // 2)
    if count == 0:
        return dataset, None
    listed = getattr(dataset, "list", None)
    calibrating = Calibration(images=dataset.images, list=listed, count=count)
    rest = dataset.model_copy(update={"start": count})
    evaluated = {sample.path for sample in open_dataset(rest).samples}
    try:
        seen = calibration_paths(calibrating)
    except UsageError:
        return dataset, None
    return (dataset, None) if evaluated & set(seen) else (rest, calibrating)
