"""How far a quantized model is from FP32's on images, judged by what the runtime computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import onnx

from fqbench.machine import usable_cores
from fqbench.quantize.observe import Feed
from fqbench.tune.error import Outputs, relative_error
from fqbench.tune.variants import Executable, execute

Item = TypeVar("Item")
Result = TypeVar("Result")


class Judge(Protocol):
    """Finds how far a quantized model is from FP32's on images."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors of the model that it has to be given, in this order."""

    def error(self, executable: Executable, images: int | None = None) -> float:
        """Relative squared error of what is computed for the first ``images``, all if None."""


@dataclass(frozen=True)
class OutputsJudge:
    """A judge by raw outputs."""

    names: tuple[str, ...]
    feeds: tuple[Feed, ...]
    reference: tuple[Outputs, ...]

    @staticmethod
    def of(model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Feed]) -> OutputsJudge:
        """A judge of models that quantize ``model``, by its tensors ``names``."""
        found = computed(execute(model, names, fuse_pairs=False), feeds)
        return OutputsJudge(tuple(names), tuple(feeds), tuple(found))

    def error(self, executable: Executable, images: int | None = None) -> float:
        """See ``Judge``."""
        count = len(self.feeds) if images is None else min(images, len(self.feeds))
        found = computed(executable, self.feeds[:count])
        return relative_error(self.reference[:count], found)


def computed(executable: Executable, feeds: Sequence[Feed]) -> list[Outputs]:
    """What ``executable`` computes for each of ``feeds``."""
    return side_by_side(executable, executable.run, feeds)


def side_by_side(
    executable: Executable, function: Callable[[Item], Result], items: Iterable[Item]
) -> list[Result]:
    """``function``, which runs ``executable``, of each of ``items``, several at a time if it may.

    Threads that share one small image wait for each other; images side by side do not.
    """
    if not executable.threads:
        return list(map(function, items))
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(pool.map(function, items))
