"""Artifacts: what a step made, stored under the hash of all that went into it.

A folder appears under its key only when it is whole: a step writes into a temporary folder,
which is then renamed. One process makes a key at a time; the others wait and find it made.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import platformdirs
from filelock import FileLock, Timeout

from fqbench.errors import StepError, UsageError
from fqbench.jsonvalue import Json
from fqbench.presence import announce

FORMAT = 1
MANIFEST = "manifest.json"

_log = logging.getLogger(__name__)


class _FileFacts(TypedDict):
    size: int
    sha256: str


class _Manifest(TypedDict):
    """The content of ``manifest.json``."""

    format: int
    step: str
    inputs: Mapping[str, Json]
    files: dict[str, _FileFacts]


@dataclass(frozen=True)
class Artifact:
    """A finished file set. ``key``: SHA-256 of what went into it; ``path``: its folder."""

    step: str
    key: str
    path: Path

    def file(self, name: str) -> Path:
        """Path of one of its files."""
        return self.path / name


def default_root() -> Path:
    """The folder named by FQBENCH_CACHE, else fqbench's place in the user's cache."""
    named = os.environ.get("FQBENCH_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("fqbench"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    result = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            result.update(chunk)
    return result.hexdigest()


def key_of(step: str, inputs: Mapping[str, Json]) -> str:
    """SHA-256 of the step and its inputs, whatever the order of their names.

    Raises ValueError or TypeError for what JSON does not hold: NaN, and names that are not text
    (JSON would make 1 and "1" one name).
    """
    _require_text_names(inputs)
    described = {"step": step, "inputs": inputs, "format": FORMAT}
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _require_text_names(value: Json) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"the name of an input is text, not {name!r}")
            _require_text_names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _require_text_names(inner)


class Store:
    """A folder of artifacts, shared by any number of processes.

    The time of an artifact's folder is when it was used last; as long as this object lives, this
    process is one of those that use the store, so that pruning leaves what it found.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._announced, self._announcing = False, threading.Lock()

    def find(self, step: str, inputs: Mapping[str, Json]) -> Artifact | None:
        """The artifact of these inputs, whole and unchanged; None where there is none."""
        artifact = self._artifact(step, inputs)
        return artifact if self._is_whole(artifact) else None

    def get_or_make(
        self, step: str, inputs: Mapping[str, Json], make: Callable[[Path], None]
    ) -> Artifact:
        """The artifact of these inputs; ``make`` writes its files where it is not there yet.

        ``make`` gets an empty folder. What it raises passes through and nothing is left behind.
        Raises UsageError where the store cannot be written, StepError where its disk is full.
        """
        artifact = self._artifact(step, inputs)
        if not self._is_whole(artifact):
            with self._locked(artifact):
                # While this process waited for the lock, another may have made it.
                if not self._is_whole(artifact):
                    self._clear(artifact)
                    self._make(artifact, inputs, make)
        return artifact

    def scratch(self, step: str, inputs: Mapping[str, Json]) -> Path:
        """A folder for what lets a step go on that was stopped; it goes when the artifact is made.

        Only ``make``, which has the key to itself, writes there.
        """
        folder = _scratch(self._artifact(step, inputs))
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _artifact(self, step: str, inputs: Mapping[str, Json]) -> Artifact:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", step):
            raise ValueError(f"a step's name is lower case letters, digits and _, not {step!r}")
        key = key_of(step, inputs)
        return Artifact(step, key, self.root / step / key)

    def _is_whole(self, artifact: Artifact) -> bool:
        """Whether it is there, as it was made; from now on it is in use."""
        with self._announcing:
            if not self._announced and self.root.is_dir():
                announce(self.root, self)
                self._announced = True
        with contextlib.suppress(OSError):
            os.utime(artifact.path)
        return _is_whole(artifact)

    @contextmanager
    def _locked(self, artifact: Artifact) -> Iterator[None]:
        """Hold the kernel's lock of this key, which ends with the process that holds it."""
        with self._writing():
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(artifact.path.with_suffix(".lock"))
            try:
                lock.acquire(blocking=False)
            except Timeout:
                _log.info("waiting for another process that makes %s", artifact.path)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _clear(self, artifact: Artifact) -> None:
        """Take away what stands where the artifact will be; needs its lock."""
        # Only whoever holds the lock makes this key, so these are a killed process's.
        for left_over in artifact.path.parent.glob(f"{artifact.key}.tmp-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        if artifact.path.exists():
            why = damage(artifact)
            aside = artifact.path.with_suffix(".damaged")
            with self._writing():
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(artifact.path, aside)
            _log.warning(
                "artifact %s is damaged (%s): moved to %s and made again",
                *(artifact.path, why, aside.name),
            )

    def _make(
        self, artifact: Artifact, inputs: Mapping[str, Json], make: Callable[[Path], None]
    ) -> None:
        with self._writing():
            temporary = Path(
                tempfile.mkdtemp(prefix=f"{artifact.key}.tmp-", dir=artifact.path.parent)
            )
        try:
            with self._telling_full_disk():
                make(temporary)
                with self._writing():
                    _seal(temporary, artifact, inputs)
                    os.rename(temporary, artifact.path)
                    _sync(artifact.path.parent)
                shutil.rmtree(_scratch(artifact), ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    @contextmanager
    def _telling_full_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StepError(
                    f"the disk of {self.root} is full: free some space or choose another folder"
                    " by FQBENCH_CACHE"
                ) from error
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._telling_full_disk():
                yield
        except OSError as error:
            raise UsageError(
                f"cannot write artifacts to {self.root}: {error.strerror or error}; choose"
                " another folder by FQBENCH_CACHE"
            ) from error


def _scratch(artifact: Artifact) -> Path:
    return artifact.path.with_suffix(".scratch")


def _seal(folder: Path, artifact: Artifact, inputs: Mapping[str, Json]) -> None:
    """Write the manifest and see to it that every byte is on the disk."""
    files = _files(folder)
    if (folder / MANIFEST).exists():
        raise ValueError(f"step {artifact.step} wrote {MANIFEST}, which is the store's own")
    manifest: _Manifest = {
        "format": FORMAT,
        "step": artifact.step,
        "inputs": inputs,
        "files": {
            name: {"size": path.stat().st_size, "sha256": file_digest(path)}
            for name, path in files.items()
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    for path in (*files.values(), folder / MANIFEST, *folders, folder):
        _sync(path)


def _files(folder: Path) -> dict[str, Path]:
    """The files by name, without the manifest. Raises ValueError for a link or a device."""
    result = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ValueError(f"{path.name} is neither a file nor a folder")
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name != MANIFEST:
            result[name] = path
    return result


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_whole(artifact: Artifact) -> bool:
    try:
        return artifact.path.is_dir() and damage(artifact) is None
    except OSError:
        return False  # A folder above may not be looked into: writing there tells why.


def damage(artifact: Artifact) -> str | None:
    """What is wrong with a stored artifact; None where nothing is."""
    try:
        manifest: _Manifest = json.loads((artifact.path / MANIFEST).read_text())
        expected = manifest["files"]
        if key_of(manifest["step"], manifest["inputs"]) != artifact.key:
            return "its manifest is another artifact's"
        found = _files(artifact.path)
        if set(found) != set(expected):
            return "files are missing or were added: " + ", ".join(
                sorted(set(found) ^ set(expected))
            )
        for name, path in found.items():
            if path.stat().st_size != expected[name]["size"]:
                return f"{name} has another size"
            if file_digest(path) != expected[name]["sha256"]:
                return f"{name} has other bytes"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be read: {type(error).__name__}: {error}"
    return None
