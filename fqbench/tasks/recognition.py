"""What a task recognizes in a model that nobody has described yet.

1. A guess says how sure it is, and why, in words that a user can check.
2. ``sure`` is only what the file itself states: what its outputs look like is ``likely`` at most.
3. Everything in a file is untrusted: a note that cannot be read is no note.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.tasks.record import Answers, DecoderSettings, Outputs, Shape, Size

if TYPE_CHECKING:
    from fqbench.spec.preprocessing import Preprocess

Sureness = Literal["sure", "likely", "guess"]
"""``sure``: the file states it, or labels show it; ``likely``: several signs agree; ``guess``:
what is usual."""

LONGEST_NOTE = 2**16
"""Letters of a note that is parsed."""


@dataclass(frozen=True)
class Seen:
    """A model as its file and a run on a few images show it.

    ``size``: height and width of the input it was run at, ``fixed`` where the file says so.
    ``outputs``: of each image, one at least; ``metadata``: what the file notes beside its graph.
    """

    size: Size
    fixed: bool
    channels: int
    outputs: tuple[Outputs, ...]
    metadata: Mapping[str, str]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the outputs of the first image."""
        return tuple(output.shape for output in self.outputs[0])

    @cached_property
    def exported_task(self) -> str | None:
        """What the exporter of YOLO models by Ultralytics calls the task; None for others."""
        if "ultralytics" not in self.metadata.get("author", "").lower():
            return None
        return self.metadata.get("task")


@dataclass(frozen=True)
class Guess:
    """A decoder that may read the outputs, and how images usually enter its models.

    ``preprocess``: the most usual first. ``stated``: why the first of them is certain, in words;
    None where it is only usual. ``dataset``: the kind of data sets that fits best, None: any of the
    task's. ``missing``: what the spec needs and nothing tells.
    """

    decode: DecoderSettings
    sureness: Sureness
    reason: str
    preprocess: tuple[Preprocess, ...]
    stated: str | None = None
    dataset: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recognition:
    """How a task recognizes its models, and what it thinks of their answers without labels."""

    guesses: Callable[[Seen], Sequence[Guess]]
    """Decoders that may read what was seen, the most likely first; none where none may."""

    confidence: Callable[[Sequence[Outputs], Answers], float]
    """How decided the answers to some images are; comparable for one model only. Never proof."""


ULTRALYTICS = "the file says that Ultralytics exported it, whose models are all fed like this"
"""Why their preprocessing is certain."""


def noted(metadata: Mapping[str, str], key: str) -> object:
    """The Python literal that the file notes under ``key``; None where there is none to be read."""
    text = metadata.get(key, "")
    if not 0 < len(text) <= LONGEST_NOTE:
        return None
    try:
        found: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return found


def noted_size(metadata: Mapping[str, str]) -> Size | None:
    """Height and width of the input as the file notes them (``imgsz``)."""
    found = noted(metadata, "imgsz")
    if isinstance(found, list | tuple) and len(found) == 2:
        height, width = found
        if all(isinstance(side, int) and 0 < side <= 8192 for side in (height, width)):
            return int(height), int(width)
    return None


def noted_classes(metadata: Mapping[str, str]) -> int | None:
    """How many classes the file names (``names``)."""
    found = noted(metadata, "names")
    return len(found) if isinstance(found, dict | list) and found else None


def are_probabilities(values: NDArray[Any], axis: int = -1) -> bool:
    """Whether values are from 0 to 1 and add up to 1 along ``axis``."""
    if not np.isfinite(values).all() or values.min() < 0:
        return False
    return bool(np.allclose(values.sum(axis=axis), 1, atol=1e-2))


def entropy(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of probabilities [n, classes], in nats."""
    safe = np.clip(chances, 1e-12, 1.0)
    return np.asarray(-(safe * np.log(safe)).sum(axis=-1))


def decidedness(scores: NDArray[Any]) -> float:
    """How much rows of scores [n, classes] tell: decided each, and not all for the same class.

    The mutual information of image and class, in nats: a wrongly scaled input often gives every
    image the same class, and that surely.
    """
    values = np.asarray(scores, np.float64)
    if not are_probabilities(values):
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        values /= values.sum(axis=-1, keepdims=True)
    return float(entropy(values.mean(axis=0)) - entropy(values).mean())
