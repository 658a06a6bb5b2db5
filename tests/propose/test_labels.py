"""What a user's images may be read as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fqbench.errors import UsageError
from fqbench.propose.labels import images_in, split
from fqbench.spec.datasets import Folder


def with_images(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def test_half_of_a_folder_is_set_apart(tmp_path: Path) -> None:
    folder = with_images(tmp_path / "images", 4)
    found, calibration = split(Folder(kind="folder", images=folder), None)
    assert calibration is not None
    assert (calibration.count, getattr(found, "start", None)) == (2, 2)


def test_images_in_further_folders_without_labels_are_one_sentence(tmp_path: Path) -> None:
    with_images(tmp_path / "words" / "one", 2)
    assert len(images_in(tmp_path / "words")) == 2
    with pytest.raises(UsageError, match="lie in folders in it: name one of these"):
        split(Folder(kind="folder", images=tmp_path / "words"), None)
