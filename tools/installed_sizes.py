"""How large what fqbench requires is, once installed: each distribution, the largest first.

    .venv/bin/python -m tools.installed_sizes [DISTRIBUTION]

Of the environment that it runs in, as markers have it there, without extras; what pip compiled is
counted as pip recorded it. docs/dependencies.md has the table of an installation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MB = 1e6


@dataclass(frozen=True)
class Installed:
    """A distribution that ``readers`` require, and the bytes of its files."""

    name: str
    version: str
    size: int
    readers: tuple[str, ...]


def required(name: str) -> list[Installed]:
    """All that the distribution ``name`` requires, directly or not, the largest first.

    Raises PackageNotFoundError where one of them is not installed.
    """
    readers: dict[str, list[str]] = {}
    pending = [name]
    while pending:
        reader = pending.pop()
        for needed in _needs(reader):
            if needed not in readers:
                pending.append(needed)
            readers.setdefault(needed, []).append(reader)
    found = [
        Installed(each, metadata.version(each), _size(each), tuple(sorted(by)))
        for each, by in readers.items()
    ]
    return sorted(found, key=lambda each: -each.size)


def _needs(name: str) -> list[str]:
    wanted = map(Requirement, metadata.requires(name) or ())
    here = (each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""}))
    return list(dict.fromkeys(canonicalize_name(each.name) for each in here))


def _size(name: str) -> int:
    paths = (file.locate() for file in metadata.files(name) or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def main(arguments: Sequence[str]) -> None:
    name = arguments[0] if arguments else "fqbench"
    found = required(name)
    for each in found:
        by = ", ".join(each.readers)
        print(f"{each.size / MB:7.1f} MB  {each.name} {each.version}  for {by}")
    print(f"{sum(each.size for each in found) / MB:7.1f} MB  {len(found)} distributions")


if __name__ == "__main__":
    main(sys.argv[1:])
