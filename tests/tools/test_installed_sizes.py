"""Sizes of what a distribution requires."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.installed_sizes import Installed, main, required


def install(folder: Path, name: str, size: int, *requirements: str) -> None:
    """Write a distribution of one file of ``size`` bytes, as pip records it."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {text}\n" for text in requirements)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    (folder / f"{name}.bin").write_bytes(bytes(size))
    (info / "RECORD").write_text(f"{name}.bin,,\n{name}.gone,,\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "whole", 9, "Small_one>=1", "big", "big<2", "never; python_version < '3'")
    install(tmp_path, "big", 3_000_000, "small-one", "extra-one; extra == 'more'")
    install(tmp_path, "small_one", 200_000, "big")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


@pytest.mark.usefixtures("installed")
def test_what_is_required_is_counted_once_and_without_extras():
    assert required("whole") == [
        Installed("big", "1.0", 3_000_000, ("small-one", "whole")),
        Installed("small-one", "1.0", 200_000, ("big", "whole")),
    ]


@pytest.mark.usefixtures("installed")
def test_it_is_printed_with_its_sum(capsys: pytest.CaptureFixture[str]):
    main(["whole"])
    assert capsys.readouterr().out == (
        "    3.0 MB  big 1.0  for small-one, whole\n"
        "    0.2 MB  small-one 1.0  for big, whole\n"
        "    3.2 MB  2 distributions\n"
    )
