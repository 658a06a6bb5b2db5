"""Models into the folder of the user's choice: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fqbench.backends import backend as backend_of
from fqbench.backends import int8_form
from fqbench.errors import UsageError

_STAGING = ".compress-"
_GUARD = ".compress.guard"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the kernel's lock of ``folder``, which ends with the process that holds it.

    Raises UsageError where another run has it: its models would be mixed with this one's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = FileLock(folder / _GUARD)
        guard.acquire(blocking=False)
    except Timeout:
        raise UsageError(
            f"--save_dir: another fqbench compress is writing to {folder}: wait until it has"
            " ended, or choose another folder"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        guard.release()


def check_folder(folder: Path, backends: Sequence[str]) -> None:
    """Raise UsageError where models cannot be written to ``folder``, before any work starts.

    ``folder`` is there, and this process is alone in it.

    A model of an earlier run is replaced; a folder that holds anything else is not.
    """
    try:
        _clear(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=_STAGING):
            pass
        for backend in backends:
            place = folder / backend
            strange = (
                [path.name for path in place.iterdir() if not _is_of_model(path, backend)]
                if (place.exists())
                else []
            )
            if strange:
                raise UsageError(
                    f"--save_dir: {place} holds {strange[0]}, which is no file of an earlier run:"
                    " choose another folder"
                )
    except OSError as error:
        raise _unwritable(folder, error) from error


def files_of(model: Path, backend: str) -> tuple[Path, ...]:
    """The files of a model in the folder ``model``, be they called as fqbench's INT8 or not.

    None where it holds nothing that ``backend`` loads.
    """
    own = [model / name for name in int8_form(backend).files]
    if all(path.is_file() for path in own):
        return tuple(own)
    return tuple(sorted(path for path in model.iterdir() if path.suffix in _endings(backend)))


def _is_of_model(path: Path, backend: str) -> bool:
    return path.name in int8_form(backend).files or path.suffix in _endings(backend)


def _endings(backend: str) -> tuple[str, ...]:
    return backend_of(backend).loads


def deliver(source: Path, backend: str, folder: Path) -> tuple[Path, ...]:
    """Copy the model in ``source`` to ``folder``, in place of an earlier one; return its files.

    They lie in a folder of the backend's name.

    The copy is made beside its place, and put there by renaming: a run that is killed leaves the
    earlier model, or none, or this one. Raises UsageError where it cannot be written.
    """
    place, files = folder / backend, files_of(source, backend)
    try:
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=_STAGING))
        try:
            made = staging / backend
            made.mkdir()
            for path in files:
                _copy(path, made / path.name)
            if place.exists():
                os.rename(place, staging / "earlier")
            os.rename(made, place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"cannot write {place}: {error.strerror}; choose another folder by --save_dir"
        ) from error
    return tuple(place / path.name for path in files)


def remove_outputs(backend: str, folder: Path) -> None:
    """Remove an earlier model: where none could be made now, it would pass for this run's."""
    shutil.rmtree(folder / backend, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"--save_dir: cannot write to {folder}: {error.strerror}; choose another folder"
    )


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())


def _clear(folder: Path) -> None:
    """Remove what a killed run left."""
    for left_over in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left_over, ignore_errors=True)
