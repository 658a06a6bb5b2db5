"""Which Python an environment is made with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from fqbench.environments.install import Installer
from fqbench.environments.probe import PROBE_S, version_of
from fqbench.errors import UsageError

_MINORS = range(30, 5, -1)


@dataclass(frozen=True)
class Python:
    """An interpreter and its version."""

    executable: Path
    version: str


def suitable(name: str, wanted: SpecifierSet, named: Path | None, tool: Installer) -> Python:
    """A Python that the environment ``name`` can be made with.

    ``named``, else this one where it fits, else the newest one on the path, then among pyenv's,
    then what uv knows. Raises UsageError where there is none.
    """
    if named is not None:
        executable = Path(os.path.abspath(named))
        if not executable.is_file():
            raise UsageError(f"there is no Python {named}: name the file of one by --python")
        found = Python(executable, version_of(executable, *tool.modules))
        if not wanted.contains(found.version):
            raise UsageError(
                f"{named} is Python {found.version}, and {name} runs on {_fitting(wanted)}: name"
                " one of these by --python"
            )
        return found
    for executable in _candidates(wanted, tool.uv):
        try:
            found = Python(executable, version_of(executable, *tool.modules))
        except UsageError:
            continue  # Such as a shim of a version that is not chosen, or one without venv.
        if wanted.contains(found.version):
            return found
    raise UsageError(
        f"{name} runs on {_fitting(wanted)}, and none was found that can make an environment:"
        " install one of these (on Debian with its python3-venv), or name one by --python"
    )


def _candidates(wanted: SpecifierSet, uv: str | None) -> Iterator[Path]:
    """Pythons that may fit, the preferred ones first."""
    yield Path(sys.executable)
    for minor in _minors(wanted):
        for folder in os.get_exec_path():
            path = Path(folder, f"python3.{minor}")
            if os.access(path, os.X_OK):
                yield path.absolute()
    yield from _of_pyenv()
    if uv:
        yield from _of_uv(uv, wanted)


def _of_pyenv() -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = {}
    for executable in root.glob("versions/*/bin/python"):
        try:
            found[executable] = Version(executable.parents[1].name)
        except InvalidVersion:
            continue  # an environment of pyenv-virtualenv
    yield from sorted(found, key=found.__getitem__, reverse=True)


def _of_uv(uv: str, wanted: SpecifierSet) -> Iterator[Path]:
    command = [uv, "python", "find", "--no-project", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    if done.returncode == 0 and done.stdout.strip():
        yield Path(done.stdout.strip())


def _minors(wanted: SpecifierSet) -> list[int]:
    """Minor versions of Python 3, the newest first, some release of which fits."""
    return [
        minor
        for minor in _MINORS
        if any(wanted.contains(f"3.{minor}.{micro}") for micro in range(30))
    ]


def _fitting(wanted: SpecifierSet) -> str:
    """As ``Python 3.12, 3.11 or 3.10``."""
    names = [f"3.{minor}" for minor in _minors(wanted)]
    if not names or len(names) > 10:
        return f"Python {wanted}"
    return "Python " + " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
