"""The error of a quantized model against FP32 on images, by what the runtime computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import onnx

from fqbench.graph.executor import Executable, Feed, execute
from fqbench.graph.graph import Graph
from fqbench.hardware import usable_cores
from fqbench.tasks.decoding import decoder
from fqbench.tasks.record import AnswerComparison, DecodeFunction, DecoderSettings, Size
from fqbench.tasks.registry import decoder_of
from fqbench.tune.error import Outputs, raw_outputs, relative_error
from fqbench.vision.geometry import Geometry

Image = tuple[Feed, Geometry]
"""An image as the model takes it, and where it came from."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ErrorEstimator(Protocol):
    """Estimates the error of a quantized model against FP32 on images."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors of the model that it has to be given, in this order."""

    def error(self, executable: Executable, images: int | None = None) -> float:
        """Relative squared error of what is computed for the first ``images``, all if None."""


@dataclass(frozen=True)
class OutputErrorEstimator:
    """Estimates the error by raw outputs."""

    names: tuple[str, ...]
    feeds: tuple[Feed, ...]
    reference: tuple[Outputs, ...]

    @staticmethod
    def of(
        model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Feed]
    ) -> OutputErrorEstimator:
        """An estimator for models that quantize ``model``, by its tensors ``names``."""
        found = compute(execute(model, names, fuse_pairs=False), feeds)
        return OutputErrorEstimator(tuple(names), tuple(feeds), tuple(found))

    def error(self, executable: Executable, images: int | None = None) -> float:
        """See ``ErrorEstimator``."""
        count = len(self.feeds) if images is None else min(images, len(self.feeds))
        found = compute(executable, self.feeds[:count])
        return relative_error(self.reference[:count], found)


@dataclass(frozen=True)
class AnswerErrorEstimator:
    """Estimates the error by answers: by how much they differ from FP32's."""

    names: tuple[str, ...]
    images: tuple[Image, ...]
    decode: DecodeFunction
    comparison: AnswerComparison
    reference: tuple[Any, ...]

    @staticmethod
    def of(
        model: onnx.ModelProto,
        images: Sequence[Image],
        decode: DecodeFunction,
        comparison: AnswerComparison,
    ) -> AnswerErrorEstimator | None:
        """An estimator for models that quantize ``model``.

        None where FP32's answers hold nothing that others could differ from.
        """
        names = tuple(value.name for value in model.graph.output)
        estimator = AnswerErrorEstimator(names, tuple(images), decode, comparison, ())
        fp32 = execute(model, names, fuse_pairs=False)
        reference = tuple(estimator.answers(fp32, len(images)))
        if not comparison.informative(reference):
            return None
        return replace(estimator, reference=reference)

    def error(self, executable: Executable, images: int | None = None) -> float:
        """See ``ErrorEstimator``."""
        count = len(self.images) if images is None else min(images, len(self.images))
        return self.comparison.error(self.reference[:count], self.answers(executable, count))

    def answers(self, executable: Executable, images: int) -> list[Any]:
        """The answers of ``executable`` for the first ``images``."""

        def answer(image: Image) -> Any:
            feed, geometry = image
            return self.decode(list(executable.run(feed)), geometry)

        return run_concurrently(executable, answer, self.images[:images])


def error_estimator(
    settings: DecoderSettings,
    input_size: Size,
    model: onnx.ModelProto,
    images: Sequence[Image],
) -> ErrorEstimator:
    """How the error of models that quantize ``model`` is estimated.

    By answers where their decoder compares them and FP32's hold anything; else by raw outputs.
    """
    comparison = decoder_of(settings).comparison
    if comparison is not None:
        decode = decoder(comparison.settings(settings), input_size)
        by_answers = AnswerErrorEstimator.of(model, images, decode, comparison)
        if by_answers is not None:
            return by_answers
    return OutputErrorEstimator.of(model, raw_outputs(Graph(model)), [feed for feed, _ in images])


def compute(executable: Executable, feeds: Sequence[Feed]) -> list[Outputs]:
    """What ``executable`` computes for each of ``feeds``."""
    return run_concurrently(executable, executable.run, feeds)


def run_concurrently(
    executable: Executable, function: Callable[[Item], Result], items: Iterable[Item]
) -> list[Result]:
    """``function``, which runs ``executable``, of each of ``items``, several at a time if it may.

    Threads that share one small image wait for each other; images side by side do not.
    """
    if not executable.threads:
        return list(map(function, items))
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(function, items))
