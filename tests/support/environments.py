"""Environments of their own, with the dependencies that are installed here."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def environment(folder: Path, *wheels: Path, first: tuple[Path, ...] = ()) -> Path:
    """Python of an environment with ``wheels``, and ``first`` before what is installed here."""
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    install = ["--quiet", "--python", str(python), "install", "--no-deps", "--no-index"]
    if wheels:
        command = [sys.executable, "-m", "pip", *install, *map(str, wheels)]
        subprocess.run(command, check=True, cwd=folder)
    # Named in a file, the folders' own .pth files are not read: this repository stays out of it.
    here = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    lines = [*map(str, first), *sorted(here)]
    (packages(python) / "dependencies.pth").write_text("\n".join(lines) + "\n")
    return python


def packages(python: Path) -> Path:
    """Where the environment's own packages are."""
    (found,) = python.parents[1].glob("lib/python*/site-packages")
    return found
