"""Source text that loads a model with its runtime only: what each backend writes of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SnippetRequest:
    """An artifact in ``folder`` as its cell runs it, with ``threads`` threads.

    ``precision``: what the runtime is asked for, see ``Runtime.prepare``.
    """

    folder: Path
    device: str
    precision: str
    threads: int


WriteSnippet = Callable[[SnippetRequest], str]
"""Python source, imports first, that has a function ``load(folder: Path)``. That loads the files of
the artifact from any folder that they were copied to, and returns a function: from a list of
arrays, the model's inputs in its order, to the list of its outputs, the same bytes as the runner
gives. It imports the runtime, numpy and the standard library, and nothing of fqbench. Called in
the parent process: imports nothing heavy itself."""
