"""What runs in this process instead of a child, which takes up to a second to start."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from fqbench.isolate import call

APART = "fqbench.pipeline.steps.quantizing:probe"
"""A step that imports each backend's runtime, which may not lie in one process."""


READING = frozenset({"fqbench.propose.look:look", "fqbench.spec.inspect:inspect_onnx"})
"""What only reads or tries a model."""


def _read(function: str, arguments: dict[str, Any], **how: Any) -> Any:
    return (_called if function in READING else call)(function, arguments, **how)


@contextmanager
def models_read_here() -> Iterator[None]:
    """Inside, ONNX models are read and tried by a call."""
    with patch("fqbench.isolate.call", _read):
        yield


def _called(function: str, arguments: dict[str, Any], **how: Any) -> Any:
    if arguments.get("function") == APART:
        return call(function, arguments, **how)
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)(arguments, lambda *_: None)


@contextmanager
def steps_here() -> Iterator[None]:
    """Inside, what would be a child process is a call. What is measured still is one."""
    with patch("fqbench.isolate.call", _called):
        yield
