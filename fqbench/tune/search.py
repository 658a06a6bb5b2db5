"""The fewest layers in float so that INT8 keeps its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import numpy as np
import onnx

from fqbench.quantize.observe import Feed, Watched
from fqbench.tune.error import Outputs, relative_error

Variant = Callable[[Collection[str]], onnx.ModelProto]
"""Makes the quantized graph in which the named layers stay in float."""

APART = 4
"""Images that each layer is tried alone on."""
GROUPS = 6
"""Parts of the graph, each of which takes one kind of ranges."""
CLEARLY = 0.97
"""What is not less than this part of an error is no better: it may be chance."""
SPARED = 6
"""Layers in float, of those that were found, that are tried in INT8 once more."""

OnStep = Callable[[int, int], None]


class Judge(Protocol):
    """Tells how far a quantized graph is from FP32's on images."""

    def error(self, model: onnx.ModelProto, images: int | None = None) -> float:
        """Relative squared error of ``model`` on the first ``images``, on all if None."""


class Remembering:
    """A judge that asks another one, about each graph once."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[tuple[bytes, int | None], float] = {}

    def error(self, model: onnx.ModelProto, images: int | None = None) -> float:
        """See ``Judge``."""
        digest = sha256(model.SerializeToString(deterministic=True)).digest()
        if (digest, images) not in self._known:
            self._known[digest, images] = self._judge.error(model, images)
        return self._known[digest, images]


@dataclass(frozen=True)
class OutputsJudge:
    """A judge by raw outputs."""

    names: tuple[str, ...]
    feeds: tuple[Feed, ...]
    reference: tuple[Outputs, ...]

    @staticmethod
    def of(model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Feed]) -> OutputsJudge:
        """A judge of graphs that quantize ``model``, by its tensors ``names``."""
        judge = OutputsJudge(tuple(names), tuple(feeds), ())
        return OutputsJudge(judge.names, judge.feeds, tuple(judge.outputs(model, len(feeds))))

    def error(self, model: onnx.ModelProto, images: int | None = None) -> float:
        """See ``Judge``."""
        count = len(self.feeds) if images is None else min(images, len(self.feeds))
        return relative_error(self.reference[:count], self.outputs(model, count))

    def outputs(self, model: onnx.ModelProto, images: int) -> list[Outputs]:
        """The raw outputs of ``model`` for the first ``images``."""
        watched = Watched(model, self.names)
        found = map(watched.computed, self.feeds[:images])
        return [[values[name] for name in self.names] for values in found]


def sensitivities(
    variant: Variant, layers: Sequence[str], shown: Sequence[str], judge: Judge, on_step: OnStep
) -> dict[str, float]:
    """The error of the graph in which, of ``layers``, each of ``shown`` alone is quantized."""
    found = {}
    for done, layer in enumerate(shown, start=1):
        found[layer] = judge.error(variant([name for name in layers if name != layer]), APART)
        on_step(done, len(shown))
    return found


def widest(
    judge: Judge, form: Callable[[Collection[str]], onnx.ModelProto], tensors: Sequence[str]
) -> tuple[str, ...]:
    """Those of ``tensors``, in the graph's order, that are to take their wide range.

    ``form`` makes the graph in which the named ones do. They are tried in a few groups: all or
    none of them first, then each group the other way.
    """
    if not tensors:
        return ()
    groups = [frozenset(part.tolist()) for part in np.array_split(np.array(tensors), GROUPS)]
    tried = {wide: judge.error(form(wide)) for wide in (frozenset[str](), frozenset(tensors))}
    chosen = min(tried, key=lambda wide: tried[wide])
    least = tried[chosen]
    for group in groups:
        other = chosen ^ group
        error = judge.error(form(other))
        if error < CLEARLY * least:
            chosen, least = other, error
    return tuple(name for name in tensors if name in chosen)


def fewest(
    variant: Variant, order: Sequence[str], judge: Judge, limit: float
) -> tuple[tuple[str, ...], float]:
    """The fewest layers in float whose graph has at most error ``limit``; worst first in ``order``.

    Bisection: one layer more in float makes the error no larger, but for what rounding errors
    make up for by chance. Returns those layers and the error; all layers where none is enough.
    """
    error = judge.error(variant(()))
    if error <= limit:
        return (), error
    few, many, found = 0, len(order), 0.0
    while many - few > 1:
        middle = (few + many) // 2
        error = judge.error(variant(order[:middle]))
        if error <= limit:
            many, found = middle, error
        else:
            few = middle
    return tuple(order[:many]), found


def needed(variant: Variant, kept: Sequence[str], judge: Judge, limit: float) -> tuple[str, ...]:
    """Those of ``kept`` without which the error is above ``limit``; the last are tried first."""
    left = list(kept)
    for layer in kept[::-1][:SPARED]:
        without = [name for name in left if name != layer]
        if judge.error(variant(without)) <= limit:
            left = without
    return tuple(left)
