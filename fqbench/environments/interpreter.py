"""What runs a child in an environment: its Python, and fqbench's code brought along.

An environment holds a runtime and the libraries that fqbench's code needs there, but no fqbench:
the code is this process's own, so that both sides of the pipe are of one version. It is reached
through a folder of links that comes first on the child's path: ``fqbench`` itself, packages that
offer records to it, and the entry points of all of these. What these packages depend on is the
environment's matter.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import fqbench
from fqbench.artifacts import default_root
from fqbench.environments.environment import Missing, find
from fqbench.environments.recipe import HERE
from fqbench.errors import StepError
from fqbench.isolate import Interpreter
from fqbench.plugins import OURS, package_of

FOLDER = "code"
"""Where links are kept, in the store's root."""


def interpreter(name: str) -> Interpreter:
    """What runs children in the environment called ``name``.

    Raises StepError where it is missing, with what makes it.
    """
    found = find(name)
    if isinstance(found, Missing):
        raise StepError(found.reason)
    if found.where == HERE:
        return Interpreter.here()
    return Interpreter(str(found.executable), first=(str(_code()),))


@cache
def _code() -> Path:
    """The folder of links to this process's code."""
    groups = sorted(group for group in entry_points().groups if group.startswith(f"{OURS}."))
    points = [point for group in groups for point in entry_points(group=group)]
    packages = {OURS: Path(fqbench.__file__).parent, **dict(_packages(points))}
    described = _described(points)
    text = "\n".join([*map(str, packages.values()), *described.values()])
    folder = default_root() / FOLDER / hashlib.sha256(text.encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        for path in packages.values():
            (scratch / path.name).symlink_to(path)
        for distribution, lines in described.items():
            info = scratch / f"{distribution}-0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0\n"
            )
            (info / "entry_points.txt").write_text(lines)
        try:
            scratch.rename(folder)
        except OSError:  # Another process was first.
            shutil.rmtree(scratch)
    except OSError as error:
        raise StepError(
            f"{folder.parent} cannot be written ({error.strerror}): name another folder by"
            " FQBENCH_CACHE"
        ) from error
    return folder


def _packages(points: list[EntryPoint]) -> Iterator[tuple[str, Path]]:
    """The top-level packages that ``points`` are in, each with its folder or file."""
    for name in sorted({point.module.partition(".")[0] for point in points}):
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue  # Loading its record says why.
        if spec.submodule_search_locations:
            yield name, Path(os.path.abspath(next(iter(spec.submodule_search_locations))))
        elif spec.origin is not None:
            yield name, Path(os.path.abspath(spec.origin))


def _described(points: list[EntryPoint]) -> Mapping[str, str]:
    """By distribution, its entry points as ``entry_points.txt`` has them."""
    lines: dict[str, list[str]] = {}
    for point in sorted(points, key=lambda each: (each.group, each.name)):
        found = lines.setdefault(package_of(point), [])
        if f"[{point.group}]" not in found:
            found.append(f"[{point.group}]")
        found.append(f"{point.name} = {point.value}")
    return {name: "\n".join(found) + "\n" for name, found in lines.items()}
