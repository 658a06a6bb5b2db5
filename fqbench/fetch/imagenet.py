"""ImageNet, which its licence lets nobody hand on: the user's own copy."""

from __future__ import annotations

from pathlib import Path

NAME = "imagenet"


def is_there(root: Path) -> bool:
    """Whether a copy is under the data root: images with a list, or in a folder a class."""
    folder = root / "imagenet"
    usable = (folder / "val_list.txt").is_file() or (folder / "train").is_dir()
    return (folder / "val").is_dir() and usable


def explanation(root: Path) -> str:
    """Where a copy goes."""
    folder = root / "imagenet"
    return (
        "imagenet is not fetched, since its terms let nobody hand it on: get ILSVRC2012's"
        f" validation images from image-net.org, place them in {folder / 'val'}, and a line 'file"
        f" class' (class 0 to 999) for each of them in {folder / 'val_list.txt'}; or place them"
        f" in a folder for each class, {folder / 'val'}/<synset>/*.JPEG, and training images to"
        f" calibrate on in {folder / 'train'}"
    )
