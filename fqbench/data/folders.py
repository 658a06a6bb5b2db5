"""Folders of images, and folders of classes: one folder a class, as ImageNet is unpacked."""

from __future__ import annotations

import os
from itertools import chain, zip_longest
from pathlib import Path

from fqbench.data.sample import Sample
from fqbench.errors import UsageError

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def image_files(folder: Path, source: str) -> list[Path]:
    """The images in ``folder``, by name. Raises UsageError with the key ``source``."""
    return [folder / name for name in _names(folder, source, folders=False)]


def class_folders(folder: Path, source: str) -> list[Path]:
    """The folders in ``folder``, by name: class i is the i-th. Raises as ``image_files``."""
    return [folder / name for name in _names(folder, source, folders=True)]


def labelled(folders: list[Path], source: str) -> tuple[Sample, ...]:
    """The images of each class, classes one after the other, by name, numbered from 1."""
    found = (
        (path, label)
        for label, folder in enumerate(folders)
        for path in image_files(folder, source)
    )
    return tuple(Sample(number, *image) for number, image in enumerate(found, start=1))


def by_turns(folders: list[Path], source: str) -> list[Path]:
    """The first image of each folder, then the second of each: any number from the start on
    is of as many classes as can be."""
    rounds = zip_longest(*(image_files(folder, source) for folder in folders))
    return [path for path in chain.from_iterable(rounds) if path is not None]


def _names(folder: Path, source: str, *, folders: bool) -> list[str]:
    """Sorted names in ``folder``, of images or of folders; hidden folders are no classes."""
    try:
        with os.scandir(folder) as entries:
            if folders:
                return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
            # By their ending only: to look at each would take long on a slow disk.
            return sorted(
                e.name for e in entries if os.path.splitext(e.name)[1].lower() in SUFFIXES
            )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{source}: {folder} is not a folder: correct the path") from error
    except OSError as error:
        raise UsageError(
            f"{source}: cannot read {folder}: {error.strerror}"
            "; allow it to be read, or name another folder"
        ) from error
