"""JSON files of strangers: read with every mistake as one sentence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from fqbench.errors import UsageError
from fqbench.spec.mistake import sentence

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes: the times of some hundred cells."""


def read_json(path: Path) -> object:
    """The content of a JSON file.

    Raises UsageError: not readable, larger than ``SIZE_LIMIT``, not JSON, a key twice in one
    object, or a number that JSON does not have (NaN, Infinity).
    """
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)  # Not by stat: a pipe has no size.
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > SIZE_LIMIT:
        raise UsageError(f"{path} is too large for stored results: {SIZE_LIMIT} bytes are allowed")
    try:
        text = content.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_unique)
    except RecursionError as error:
        raise UsageError(f"{path} is not usable: it is nested too deeply") from error
    # UnicodeDecodeError and JSONDecodeError are ValueErrors, as is a number of too many digits.
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from error


_Model = TypeVar("_Model", bound=BaseModel)


def validated(record: type[_Model], content: object, path: Path) -> _Model:
    """``content`` as ``record``. Raises UsageError with the file, the key and what is wrong."""
    try:
        return record.model_validate(content)
    except ValidationError as error:
        found = sentence(error.errors()[0], TypeAdapter(record).json_schema())
        raise UsageError(f"{path}: {found}") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in times if times[name] > 1)
        raise ValueError(f"the key {twice!r} is written twice")
    return found
