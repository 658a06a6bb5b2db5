"""COCO annotation files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fqbench.data.sample import Sample, confined
from fqbench.errors import UsageError

REQUIRED = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id",),
}


def read(images: Path, annotations: Path) -> tuple[tuple[Sample, ...], tuple[int, ...]]:
    """Images by id, and the category ids in the order of a model's classes (ascending).

    Raises UsageError where the file is not COCO annotations.
    """
    content = _content(annotations)
    samples = tuple(
        Sample(int(image["id"]), confined(images, image["file_name"], annotations))
        for image in sorted(content["images"], key=lambda image: int(image["id"]))
    )
    if len({sample.image_id for sample in samples}) != len(samples):
        raise UsageError(f"{annotations}: two images have the same id")
    return samples, tuple(sorted({int(c["id"]) for c in content["categories"]}))


def _content(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    for key, fields in REQUIRED.items():
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise UsageError(f"{path} is not COCO annotations: it has no list {key!r}")
        for entry in entries:
            missing = [f for f in fields if not isinstance(entry, dict) or f not in entry]
            if missing:
                raise UsageError(f"{path}: an entry of {key!r} has no {missing[0]!r}")
    checked: dict[str, list[dict[str, Any]]] = content
    return checked
