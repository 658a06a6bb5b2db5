"""Weights that a model's file keeps in other files: read from the model's own folder only.

1. Where a tensor's data lies is said by the model's file, which is untrusted: nothing outside of
   its folder is opened, whatever name, link or number it holds.
2. All is compared with the files' sizes before a byte is read.
3. Every tensor is found, wherever a message holds one: ONNX Runtime is given none that lies
   elsewhere, so that it opens no file itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import onnx

from fqbench.errors import UsageError
from fqbench.fileio import LFS_POINTER

LIMIT = 2**31 - 1
"""Bytes that protobuf, and so one ONNX model, can hold."""

BITS = {
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((25, 26), 2),
}
"""Of one element, by the number of its type; also of types that the installed onnx has no name
for."""

DIGITS = 19
"""Of the largest number that an int64 holds."""

SHOWN = 100
"""Characters of a name in a message."""


@dataclass(frozen=True)
class _Region:
    """Where the data of ``tensor`` lies. ``file``: all links followed; ``length``: in bytes."""

    tensor: onnx.TensorProto
    file: str
    offset: int
    length: int


def load(path: Path) -> onnx.ModelProto:
    """The ONNX model in the file ``path``, with all its data. Raises UsageError as ``embed``."""
    model = onnx.load(str(path), load_external_data=False)
    embed(model, path)
    return model


def embed(model: onnx.ModelProto, path: Path) -> tuple[Path, ...]:
    """Read the data that ``model``, of the file ``path``, keeps elsewhere; return the files.

    They lie in the folder of ``path`` or, where that is a link, in the folder it leads to, also
    through links. Afterwards ``model`` holds everything. Raises UsageError where a file lies
    elsewhere, is not there, cannot be read or is too short, or where all is too much for one model.
    """
    regions: list[_Region] = []
    names: set[str] = set()
    for tensor in stored_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            regions.append(_region(tensor, entries, path))
            names.add(entries["location"])
    if regions:
        # Several tensors may share bytes, so the files' sizes bound nothing.
        check_size(path, path.stat().st_size + sum(region.length for region in regions))
        _read(regions, path)
    return tuple(path.parent / name for name in sorted(names))


def check_size(path: Path, size: int) -> None:
    """Raise UsageError where a model of ``size`` bytes, in the file ``path``, is too large."""
    if size > LIMIT:
        raise UsageError(
            f"{path} holds {size / 1e9:.1f} GB with its data, and one ONNX model at most"
            f" {LIMIT / 1e9:.1f} GB: export a smaller model, or its weights in a smaller type"
        )


def stored_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every stored tensor, wherever it is: also in attributes, subgraphs and functions."""
    pending: list[Any] = [model]
    while pending:
        message = pending.pop()
        if isinstance(message, onnx.TensorProto):
            yield message
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                pending.extend([value] if hasattr(value, "ListFields") else value)


def _region(tensor: onnx.TensorProto, entries: dict[str, str], path: Path) -> _Region:
    """Where the data lies, as ``entries`` say, inside of a file that is long enough."""
    file, size = _located(entries.get("location", ""), path)
    offset = _number(tensor, "offset", entries.get("offset", "0"), path)
    bits = BITS.get(tensor.data_type)
    if bits is None or any(size < 0 for size in tensor.dims):
        raise UsageError(
            f"{path}: tensor {_shown(tensor.name)} in another file has a type or shape that cannot"
            " lie there: export the model again"
        )
    expected = -(-prod(tensor.dims) * bits // 8)
    length = _number(tensor, "length", entries.get("length", str(expected)), path)
    if length != expected:
        raise UsageError(
            f"{path}: tensor {_shown(tensor.name)} has {length} bytes in another file, its shape"
            f" and type make {expected}: export the model again"
        )
    if offset + length > size:
        raise _too_short(entries["location"], file, path)
    return _Region(tensor, file, offset, length)


def _located(location: str, path: Path) -> tuple[str, int]:
    """The file that ``location`` names, all links followed, and its size in bytes."""
    for flavour in (PurePosixPath, PureWindowsPath):
        if flavour(location).anchor or ".." in flavour(location).parts:
            raise _outside(location, path)
    try:
        file = os.path.realpath(path.parent / location, strict=True)
        folders = {os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))}
        if not any(Path(file).is_relative_to(folder) for folder in folders):
            raise _outside(location, path)
        found = os.stat(file)
    except (OSError, ValueError) as error:
        raise _unreadable(location, error, path) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(location, "it is no file", path)
    return file, found.st_size


def _number(tensor: onnx.TensorProto, key: str, text: str, path: Path) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise UsageError(
            f"{path}: tensor {_shown(tensor.name)} in another file has the {key} {_shown(text)},"
            " expected a number of bytes: export the model again"
        )
    return int(text)


def _read(regions: list[_Region], path: Path) -> None:
    """Put the data of ``regions`` into their tensors; each file is opened once."""
    by_file: dict[str, list[_Region]] = {}
    for region in regions:
        by_file.setdefault(region.file, []).append(region)
    for file, parts in by_file.items():
        name = os.path.basename(file)
        try:
            with _opened(file) as stream:
                for region in parts:
                    stream.seek(region.offset)
                    data = stream.read(region.length)
                    if len(data) != region.length:
                        raise _too_short(name, file, path)
                    region.tensor.raw_data = data
        except OSError as error:
            raise _unreadable(name, error, path) from error
    for region in regions:
        region.tensor.ClearField("external_data")
        region.tensor.ClearField("data_location")


def _outside(location: str, path: Path) -> UsageError:
    return UsageError(
        f"{path} keeps weights in {_shown(location)}, outside of its own folder, where nothing is"
        " read: put both files into one folder and name the second one without a path"
    )


def _unreadable(location: str, error: Exception | str, path: Path) -> UsageError:
    reason = getattr(error, "strerror", None) or error
    return UsageError(
        f"{path} keeps weights in {_shown(location)} beside it, which cannot be read ({reason}):"
        " put that file there under this name, or save the model as one file"
    )


def _too_short(location: str, file: str, path: Path) -> UsageError:
    reason = (
        "is a pointer of Git LFS: get the file itself by git lfs pull"
        if _is_pointer(file)
        else "is too short for them: it is cut off or of another model, get it again"
    )
    return UsageError(f"{path} keeps weights in {_shown(location)}, which {reason}")


def _is_pointer(file: str) -> bool:
    try:
        with _opened(file) as stream:
            return stream.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError:
        return False


def _opened(file: str) -> BinaryIO:
    """``file``, unless a link or something that waits has taken its place since it was checked."""
    return open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
