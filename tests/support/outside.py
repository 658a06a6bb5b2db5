"""Packages outside of fqbench, as if they were installed, and commands that run beside them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.support.tiny_spec import without_data_root

ROOT = Path(__file__).parents[2]

Points = Mapping[str, Mapping[str, str]]
"""Entry points by group and name."""

PACKAGE: Points = MappingProxyType(
    {
        "fqbench.backends": {"delayed": "outside_backend:BACKEND"},
        "fqbench.tasks": {"guessing": "outside_task:TASK"},
        "fqbench.methods": {
            "nearest": "outside_methods:NEAREST",
            "static": "outside_methods:STATIC",
        },
        "fqbench.precisions": {"tf32": "outside_methods:TF32"},
    }
)
"""Those of a package that offers records of all kinds."""

MODULES = ("outside_backend", "outside_methods", "outside_task")
"""What it consists of."""


def install(site: Path, package: str, points: Points, version: str = "1.0") -> None:
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


def install_package(site: Path) -> None:
    """The package that offers records of all kinds, as if it were installed in ``site``."""
    install(site, "outside", PACKAGE)
    _copy_modules(site)


def write_project(folder: Path) -> None:
    """Its sources: the modules, and a ``pyproject.toml`` with the entry points."""
    lines = ["[project]", 'name = "outside"', 'version = "1.0"']
    for group, named in PACKAGE.items():
        lines += [f'[project.entry-points."{group}"]']
        lines += [f'{name} = "{value}"' for name, value in named.items()]
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n")
    _copy_modules(folder)


def _copy_modules(folder: Path) -> None:
    for module in MODULES:
        shutil.copy(ROOT / f"tests/support/{module}.py", folder)


def python(
    site: Path, *arguments: object, cache: Path | None = None, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """What this Python does in ``folder``, with the packages of ``site``, and a ``cache`` of its
    own where one is named."""
    paths = [str(site), str(ROOT), os.environ.get("PYTHONPATH", "")]
    # A worker of pytest-xdist measures nothing.
    own = {k: v for k, v in without_data_root().items() if not k.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={
            **own,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **({} if cache is None else {"FQBENCH_CACHE": str(cache)}),
            "COLUMNS": "250",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
