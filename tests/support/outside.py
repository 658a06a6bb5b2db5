"""Packages outside of fqbench, as if they were installed, and commands that run beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.tiny_spec import without_data_root

ROOT = Path(__file__).parents[2]


def install(
    site: Path, package: str, points: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> None:
    """Metadata of ``package`` in the folder ``site``, with entry points by group and name."""
    folder = site / f"{package.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    )
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in points.items()
    )
    (folder / "entry_points.txt").write_text("\n".join(groups))


def python(site: Path, cache: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What this Python does with the packages of ``site`` and a ``cache`` of its own."""
    paths = [str(site), str(ROOT), os.environ.get("PYTHONPATH", "")]
    # A worker of pytest-xdist measures nothing.
    own = {k: v for k, v in without_data_root().items() if not k.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={
            **own,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "FQBENCH_CACHE": str(cache),
            "COLUMNS": "250",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
