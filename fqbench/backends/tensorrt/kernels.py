"""Kernels that TensorRT for RTX compiles for the GPU at hand when it makes an engine ready.

It does so in every process anew, unless it is given those that another one compiled.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from fqbench.backends.tensorrt import best_effort_cache

FAILURES = (AttributeError, TypeError, ValueError, RuntimeError)
"""What the bindings raise: of a version that lacks a call or takes others, or of the library."""


class Kernels:
    """The kernels of one engine, kept in the file at ``path``; None: they are not kept.

    ``config`` is what the engine is made ready with, None where the library keeps no kernels. Both
    must outlive what runs the engine. Nothing raises: without kernels they are compiled.
    """

    def __init__(self, engine: Any, path: Path | None) -> None:
        self._path, self._stored = path, b""
        self._cache: Any = None
        self.config: Any = None
        if path is not None:
            with suppress(*FAILURES):
                self._load(engine, best_effort_cache.read(path))

    def _load(self, engine: Any, stored: bytes) -> None:
        config = engine.create_runtime_config()
        cache = config.create_runtime_cache()
        # The library refuses those of another GPU, driver or version itself.
        if stored and cache.deserialize(stored):
            self._stored = stored
        if config.set_runtime_cache(cache):
            self.config, self._cache = config, cache

    def keep(self) -> None:
        """Write the kernels that there are now, where they are not those of the file."""
        if self._cache is None or self._path is None:
            return
        with suppress(*FAILURES):
            content = bytes(self._cache.serialize())
            if content != self._stored:
                best_effort_cache.keep(self._path, content)
                self._stored = content
