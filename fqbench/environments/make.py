"""Environments are made, chosen and removed.

One is made beside its place, in ``NAME.partial-PID``, and renamed when it is whole; whoever holds
the lock of its name clears away what a killed process left.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from fqbench.environments.environment import (
    MANIFEST,
    Environment,
    Manifest,
    forget,
    lacking,
    python_in,
    recorded_python,
    root,
)
from fqbench.environments.install import Installer, Source, install
from fqbench.environments.probe import import_distribution, version_of, versions_of
from fqbench.environments.pythons import Python, suitable
from fqbench.environments.recipe import Target, target
from fqbench.errors import UsageError
from fqbench.fileio import write_text

OLDEST = (3, 10)
"""The oldest Python that fqbench's own code runs on in an environment."""

_MB = 10**6
_SHOWN = 50


class Listener(Protocol):
    """What is told how making goes."""

    def say(self, text: str) -> None:
        """Something worth a line."""

    def progress(self, text: str, done: int, total: int) -> None:
        """What is being done, and about how much of it."""


@dataclass
class _Installer:
    """Counts the distributions that an installer speaks of, of about ``total``."""

    name: str
    total: int
    listener: Listener
    done: int = 0

    def __call__(self, line: str) -> None:
        self.done += line.startswith("Collecting ")
        self.listener.progress(
            f"{self.name}: {line[:_SHOWN]}", min(self.done, self.total), self.total
        )


def make(
    name: str, listener: Listener, source: Source | None = None, python: Path | None = None
) -> Environment:
    """The environment called ``name``, made where it is not there as the list has it now.

    From then on it is used, and no other in its place. ``python``: what it is made with. Raises
    UsageError where it cannot be made; nothing is left of it then.
    """
    source = source or Source()
    wanted = target(name)
    source.check()
    folder = root()
    with _locked(wanted.name, folder, listener):
        _clear(wanted.name, folder)
        place = folder / wanted.name
        found = Manifest.read(place)
        if found is None or not _is_as_asked(found, wanted, python):
            found = _build(wanted, folder, source, python, listener)
        with _writing(folder):
            (folder / f"{wanted.name}.json").unlink(missing_ok=True)
    forget()
    return Environment(wanted.name, python_in(place), found.versions, "made")


def use(name: str, python: Path) -> Environment:
    """Use ``python``, which has the distribution already, as the environment ``name``.

    Raises UsageError where it cannot be used.
    """
    wanted = target(name)
    executable = Path(os.path.abspath(python))  # A link into an environment is not followed.
    if not executable.is_file():
        raise UsageError(f"there is no Python {python}: name the file of one")
    try:
        versions = versions_of(executable)
    except UsageError as error:
        raise UsageError(f"{error}: name another Python") from error
    if tuple(map(int, versions["python"].split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(f"{python} is Python {versions['python']}: name one from {oldest} on")
    problem = lacking(wanted, versions)
    if problem is not None:
        raise UsageError(
            f"{python} cannot be used for {wanted.name}: {problem}; name another Python"
        )
    folder = root()
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{wanted.name}.json", json.dumps({"python": str(executable)}) + "\n")
    forget()
    return Environment(wanted.name, executable, versions, "used")


def remove(name: str, listener: Listener) -> None:
    """Remove the environment ``name``: what was made, and the record of another that is used.

    Raises UsageError where there is neither.
    """
    wanted = target(name)
    folder = root()
    place, record = folder / wanted.name, folder / f"{wanted.name}.json"
    if not os.path.lexists(place) and not os.path.lexists(record):
        raise UsageError(
            f"there is no environment {wanted.name} in {folder}: fqbench env lists what there is"
        )
    with _locked(wanted.name, folder, listener):
        python = recorded_python(wanted.name, folder)
        with _writing(folder):
            record.unlink(missing_ok=True)
        if python is not None:
            listener.say(f"{wanted.name}: {python} is no longer used, and stays as it is")
        if os.path.lexists(place):
            with _writing(folder):
                os.rename(place, _partial(wanted.name, folder))
            _clear(wanted.name, folder)
            listener.say(f"Removed: {place}")
    forget()


def problems(environment: Environment) -> list[str]:
    """What is wrong with an environment: it differs from its list, or cannot be imported."""
    wanted = target(environment.name)
    versions = environment.versions
    if environment.where == "made":
        try:
            # Its manifest says what was in it when it was made.
            versions = versions_of(environment.executable)
        except UsageError as error:
            return [str(error)]
    found = wanted.requirements.differences(versions)
    try:
        import_distribution(environment.executable, wanted.recipe.distribution)
    except UsageError as error:
        found.append(f"{wanted.recipe.distribution} cannot be imported: {error}")
    return found


def _is_as_asked(found: Manifest, wanted: Target, python: Path | None) -> bool:
    """Whether one is made of the list as it is now, and with ``python`` where that is named."""
    if found.requirements != wanted.requirements.digest:
        return False
    return python is None or version_of(python) == found.versions["python"]


def _build(
    wanted: Target, folder: Path, source: Source, named: Path | None, listener: Listener
) -> Manifest:
    """Make the environment and put it into its place."""
    tool = Installer.here()
    python = suitable(wanted.name, wanted.python, named, tool)
    _tell_size(wanted, folder, python, listener)
    total = len(list(wanted.requirements.applying(python.version)))
    partial = _partial(wanted.name, folder)
    try:
        with _writing(folder):
            install(
                *(wanted.name, python.executable, partial, wanted.requirements.text, source, tool),
                _Installer(wanted.name, total, listener),
            )
            versions = versions_of(python_in(partial))
            differing = wanted.requirements.differences(versions)
            if differing:
                raise UsageError(
                    f"the environment {wanted.name} was not made: the installer ended, but"
                    f" {'; '.join(differing)}"
                    "; run the command again, or correct the list of requirements"
                )
            manifest = Manifest(versions, wanted.requirements.digest, _size(partial))
            place = folder / wanted.name
            _rename_in_scripts(partial, place)
            os.sync()
            (partial / MANIFEST).write_text(manifest.text, "utf-8")
            if os.path.lexists(place):
                os.rename(place, folder / f"{partial.name}-old")
            os.rename(partial, place)
    finally:
        _clear(wanted.name, folder)
    return manifest


def _tell_size(wanted: Target, folder: Path, python: Python, listener: Listener) -> None:
    """Say how much will be loaded and stored, and raise UsageError where there is no room."""
    download, installed = wanted.requirements.download, wanted.requirements.installed
    free = shutil.disk_usage(folder).free // _MB
    size = "of unknown size"
    if download is not None and installed is not None:
        size = f"about {download} MB to download and {installed} MB on disk"
        if free < installed:
            raise UsageError(
                f"the environment {wanted.name} needs about {installed} MB, and the disk of"
                f" {folder} has {free} MB free: free some space, or choose another folder by"
                " FQBENCH_ENVIRONMENTS"
            )
    listener.say(
        f"Making {wanted.name} in {folder / wanted.name}, {size} ({free} MB free), with Python"
        f" {python.version} ({python.executable})"
    )


def _rename_in_scripts(partial: Path, place: Path) -> None:
    """Let the environment's scripts start its Python where it will be."""
    old, new = os.fsencode(partial), os.fsencode(place)
    for script in (partial / "bin").iterdir():
        if not script.is_symlink() and script.is_file():
            content = script.read_bytes()
            if old in content:
                script.write_bytes(content.replace(old, new))


def _size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        total += sum(os.lstat(os.path.join(place, name)).st_size for name in names)
    return total


def _partial(name: str, folder: Path) -> Path:
    return folder / f"{name}.partial-{os.getpid()}"


def _clear(name: str, folder: Path) -> None:
    """Remove what a process left that made or removed ``name``; needs its lock."""
    for left_over in folder.glob(f"{name}.partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)


@contextmanager
def _locked(name: str, folder: Path, listener: Listener) -> Iterator[None]:
    """Hold the lock of ``name``, which ends with the process that holds it."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            listener.say(f"Waiting for another process that makes or removes {name}")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UsageError(
                f"the disk of {folder} is full: free some space, or choose another folder by"
                " FQBENCH_ENVIRONMENTS"
            ) from error
        raise UsageError(
            f"cannot write environments to {folder}: {error.strerror or error}; choose another"
            " folder by FQBENCH_ENVIRONMENTS"
        ) from error
