"""Lock a list of requirements: every distribution that it takes, in one version for each Python.

    python tools/lock_requirements.py fqbench/backends/paddle/requirements.in \\
        python3.10 python3.11 python3.12

writes ``requirements.txt`` beside it, of what pip of each Python would install now, and its size.
All of it is downloaded for that, into a folder that is gone afterwards. ``--loose NAME`` leaves the
version of that distribution open, where the list is for several.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_sdist_filename, parse_wheel_filename

UNPACKED = 4.0
"""How many times its size a source distribution is when it is installed, about."""
COMPILED = 1.1
"""The same of a wheel's files, with what Python compiles of them."""


@dataclass(frozen=True)
class Resolved:
    """What pip would install on a ``python``, such as 3.11: versions by name, and bytes."""

    python: str
    versions: Mapping[str, str]
    download: int
    installed: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("pythons", nargs="+")
    parser.add_argument("--loose", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    found = [resolve(options.source, python) for python in options.pythons]
    found.sort(key=lambda each: minor(each.python))
    lines = [
        f"# Made by tools/lock_requirements.py of {options.source.name}, for Python"
        f" {', '.join(each.python for each in found)} on Linux.",
        f"# download: {max(each.download for each in found) / 1e6:.0f} MB",
        f"# installed: {max(each.installed for each in found) / 1e6:.0f} MB",
        *locked(found, options.loose),
    ]
    options.source.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def resolve(source: Path, python: str) -> Resolved:
    """What pip of ``python`` would install of the list ``source``."""
    version = output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    with tempfile.TemporaryDirectory() as folder:
        output(python, "-m", "pip", "download", "--quiet", "-d", folder, "-r", str(source))
        files = sorted(Path(folder).iterdir())
        return Resolved(
            version,
            dict(map(release, files)),
            sum(file.stat().st_size for file in files),
            sum(map(size_installed, files)),
        )


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def release(file: Path) -> tuple[str, str]:
    """Name and version of a distribution's file."""
    parse = parse_wheel_filename if file.suffix == ".whl" else parse_sdist_filename
    name, version = parse(file.name)[:2]
    return str(name), str(version)


def size_installed(file: Path) -> int:
    if file.suffix != ".whl":
        return int(UNPACKED * file.stat().st_size)
    with zipfile.ZipFile(file) as wheel:
        return int(COMPILED * sum(each.file_size for each in wheel.infolist()))


def locked(found: Sequence[Resolved], loose: Sequence[str] = ()) -> list[str]:
    """A line for each distribution and version, with a marker where not every Python gets it."""
    lines = []
    for name in sorted({name for each in found for name in each.versions}):
        if name in loose:
            lines.append(name)
            continue
        pythons: dict[str, list[str]] = {}
        for each in found:
            if name in each.versions:
                pythons.setdefault(each.versions[name], []).append(each.python)
        for version, ones in pythons.items():
            marker = "" if len(ones) == len(found) else f"; {among(ones, found)}"
            lines.append(f"{name}=={version}{marker}")
    return lines


def among(pythons: Sequence[str], found: Sequence[Resolved]) -> str:
    """The marker of some of the Pythons."""
    every = [each.python for each in found]
    count = len(pythons)
    if list(pythons) == every[:count]:
        return f'python_version < "{every[count]}"'
    if list(pythons) == every[-count:]:
        return f'python_version >= "{pythons[0]}"'
    return " or ".join(f'python_version == "{python}"' for python in pythons)


def minor(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


if __name__ == "__main__":
    main()
