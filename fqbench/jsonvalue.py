"""The type of a JSON value, as steps and child processes take and give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

Json = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]  # noqa: UP007
"""What JSON can hold. Read-only containers, so that a ``dict[str, int]`` is one, too."""
