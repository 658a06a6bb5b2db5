"""The fewest layers in float so that INT8 keeps its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import onnx

from fqbench.quantize.observe import Feed, Watched
from fqbench.tune.error import Outputs, relative_error

Variant = Callable[[Collection[str]], onnx.ModelProto]
"""Makes the quantized graph in which the named layers stay in float."""

APART = 2
"""Images that each layer is tried alone on."""

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Judge:
    """Tells the error of a quantized graph: that of its raw outputs against FP32's on images."""

    names: tuple[str, ...]
    feeds: tuple[Feed, ...]
    reference: tuple[Outputs, ...]

    @staticmethod
    def of(model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Feed]) -> Judge:
        """A judge of graphs that quantize ``model``, by its tensors ``names``."""
        judge = Judge(tuple(names), tuple(feeds), ())
        return Judge(judge.names, judge.feeds, tuple(judge.outputs(model, len(feeds))))

    def error(self, model: onnx.ModelProto, images: int | None = None) -> float:
        """Relative squared error of ``model`` on the first ``images``."""
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
