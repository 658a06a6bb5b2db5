"""Records that packages offer by entry points: fqbench's own by the same way as anybody's.

A package offers one in its ``pyproject.toml``::

    [project.entry-points."fqbench.tasks"]
    regression = "my_package:TASK"
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from fqbench.errors import UsageError

OURS = "fqbench"
"""The distribution whose records come first."""

Record = TypeVar("Record")


def load(
    group: str, kind: type[Record], points: Iterable[EntryPoint] | None = None
) -> dict[str, Record]:
    """The records of type ``kind`` in ``group``, by name: fqbench's own, then others, each sorted.

    ``points``: where they are offered, by default by all that is installed. Raises UsageError
    naming the entry point, its package and what is wrong: it cannot be loaded, is of another type,
    calls itself otherwise, or has a name that is taken.
    """
    found: dict[str, Record] = {}
    packages: dict[str, str] = {}
    for point in sorted(entry_points(group=group) if points is None else points, key=_order):
        package = package_of(point)
        where = f"the entry point {point.name!r} of package {package} in {group}"
        if point.name in found:
            raise UsageError(
                f"{where}: the name is taken by package {packages[point.name]}: uninstall one of"
                " them"
            )
        try:
            record = point.load()
        except Exception as error:  # Another package's module may raise anything.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise UsageError(
                f"{where}: {point.value} cannot be loaded ({reason}): repair or uninstall the"
                " package"
            ) from error
        if not isinstance(record, kind):
            raise UsageError(
                f"{where}: {point.value} is of type {type(record).__name__}, expected"
                f" {kind.__module__}.{kind.__qualname__}"
            )
        own = getattr(record, "name", point.name)
        if own != point.name:
            raise UsageError(
                f"{where}: {point.value} calls itself {own!r}: repair or uninstall the package"
            )
        found[point.name], packages[point.name] = record, package
    if OURS not in packages.values():
        raise UsageError(
            f"package {OURS} has no entry points in {group}: install it, for example by"
            " 'pip install .' where its source is"
        )
    return found


def code() -> dict[str, dict[str, Path]]:
    """The files of each other package that offers records, by its name and theirs.

    Those that were installed, and the modules that its entry points name, wherever these lie.
    """
    found: dict[str, dict[str, Path]] = {}
    for package in distributions():
        points = [point for point in package.entry_points if point.group.startswith(f"{OURS}.")]
        name = str(package.name)
        # What comes first on the path hides another one of the same name.
        if points and name != OURS and name not in found:
            found[name] = dict(sorted({**_installed(package), **_modules(points)}.items()))
    return found


def _installed(package: Distribution) -> dict[str, Path]:
    files = {str(file): Path(str(file.locate())) for file in package.files or ()}
    return {
        name: path for name, path in files.items() if ".dist-info/" not in name and _is_code(path)
    }


def _modules(points: Iterable[EntryPoint]) -> dict[str, Path]:
    """The files of the top-level modules that entry points name."""
    found: dict[str, Path] = {}
    for name in {point.module.partition(".")[0] for point in points}:
        spec = find_spec(name)
        if spec is None:
            continue
        if spec.submodule_search_locations is None and spec.origin is not None:
            found[Path(spec.origin).name] = Path(spec.origin)
        for place in map(Path, spec.submodule_search_locations or ()):
            files = (path for path in place.rglob("*") if _is_code(path))
            found |= {path.relative_to(place.parent).as_posix(): path for path in files}
    return found


def _is_code(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def package_of(point: EntryPoint) -> str:
    """The distribution that offers an entry point."""
    return "unknown" if point.dist is None else str(point.dist.name)


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    package = package_of(point)
    return (package != OURS, point.name, package)
