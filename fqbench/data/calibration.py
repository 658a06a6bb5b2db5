"""The images that quantization sees, never among those that are evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from fqbench.artifacts import file_digest
from fqbench.counting import counted
from fqbench.data.coco import largest_boxes
from fqbench.data.digests import Digests, file_sizes
from fqbench.data.folders import by_turns, class_folders, image_files
from fqbench.data.imagelist import lines
from fqbench.data.sample import Sample, confined, require_files
from fqbench.errors import UsageError
from fqbench.spec import Calibration

_Item = TypeVar("_Item")


def calibration_paths(calibration: Calibration, key: str = "calibration") -> tuple[Path, ...]:
    """The images, in the order of the list or of their names: as many of ``count`` as there are.

    Of folders of classes one image each, by turns. Raises UsageError where there is none, or one
    of the list is missing, with ``key``, by which the spec has them.
    """
    folder, source = calibration.images, calibration.list
    if source is not None:
        listed = [confined(folder, line.name, source) for line in lines(source)]
    else:
        listed = image_files(folder, f"{key}.images") or by_turns(
            class_folders(folder, f"{key}.images"), f"{key}.images"
        )
    if calibration.boxes is not None:
        boxes = largest_boxes(folder, calibration.boxes)
        listed = [path for path in listed if path in boxes]
    every = calibration.every
    end = calibration.start + calibration.count * every
    chosen = tuple(listed[calibration.start : end : every])
    if not chosen:
        raise UsageError(
            f"{key}.images: {source or folder} has {counted(len(listed), 'image')},"
            f" {key}.start is {calibration.start}"
        )
    require_files(chosen, f"{key}.images")
    return chosen


def evenly_spaced(found: Sequence[_Item], count: int) -> tuple[_Item, ...]:
    """At most ``count`` of what was ``found``, evenly spaced."""
    return tuple(found[:: max(1, -(-len(found) // count))])


def calibration_name(calibration: Calibration, images: int) -> str:
    """What to call the ``images`` that are used: list or folder, and which of it."""
    source = calibration.list or calibration.images
    every = f":{calibration.every}" if calibration.every > 1 else ""
    end = calibration.start + images * calibration.every
    return f"{source.name}[{calibration.start}:{end}{every}]"


def calibration_hash(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of the images, in their order.

    Not over their names: the same images under others calibrate the same.
    """
    return hashlib.sha256("".join(file_digest(path) for path in paths).encode()).hexdigest()


def overlap(paths: Sequence[Path], samples: Sequence[Sample], digests: Digests) -> tuple[Path, ...]:
    """Those of ``paths`` whose content is among ``samples``, under whatever name.

    Only files of equal size are read. The same picture in another encoding is not found.
    """
    evaluated = [sample.path for sample in samples]
    sizes, others = file_sizes(paths), file_sizes(evaluated)
    shared = set(sizes) & set(others)
    candidates = [path for path, size in zip(paths, sizes, strict=True) if size in shared]
    alike = [path for path, size in zip(evaluated, others, strict=True) if size in shared]
    known = set(digests.of(alike))
    found = zip(candidates, digests.of(candidates), strict=True)
    return tuple(path for path, digest in found if digest in known)
