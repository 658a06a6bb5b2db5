"""Records that packages offer by entry points: fqbench's own by the same way as anybody's.

A package offers one in its ``pyproject.toml``::

    [project.entry-points."fqbench.tasks"]
    regression = "my_package:TASK"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, TypeVar

from fqbench.errors import UsageError

OURS = "fqbench"
"""The distribution whose records come first."""

Record = TypeVar("Record")


class Named(Protocol):
    """A record that says its own name."""

    @property
    def name(self) -> str:
        """That of its entry point."""


NamedRecord = TypeVar("NamedRecord", bound=Named)


def load_named(group: str, kind: type[NamedRecord]) -> dict[str, NamedRecord]:
    """As ``load``. Raises UsageError, too, where a record has another name than its entry point."""
    found = load(group, kind)
    for name, record in found.items():
        if record.name != name:
            raise UsageError(
                f"the entry point {name!r} in {group} is of a record that calls itself"
                f" {record.name!r}: repair or uninstall the package"
            )
    return found


def load(group: str, kind: type[Record]) -> dict[str, Record]:
    """The records of type ``kind`` in ``group``, by name: fqbench's own, then others, each sorted.

    Raises UsageError naming the entry point, its package and what is wrong: it cannot be loaded,
    is of another type, or has a name that is taken.
    """
    found: dict[str, Record] = {}
    packages: dict[str, str] = {}
    for point in sorted(entry_points(group=group), key=_order):
        package = _package(point)
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
        found[point.name], packages[point.name] = record, package
    if OURS not in packages.values():
        raise UsageError(
            f"package {OURS} has no entry points in {group}: install it, for example by"
            " 'pip install .' where its source is"
        )
    return found


def _package(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else str(point.dist.name)


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    package = _package(point)
    return (package != OURS, point.name, package)
