"""Times of layers and of whole forms of a model, taken while nothing else runs on the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from fqbench.backends.variants import TimedVariants, Times, Variants
from fqbench.graph.executor import Feed
from fqbench.measure.pinning import bound
from fqbench.quantize.setting import Setting
from fqbench.tune.speed import Rounds, time_rounds

Alone = Callable[[], AbstractContextManager[Sequence[int]]]
"""What keeps everything else off the machine inside its context, and gives the cores that may be
used there; none: those that this process has."""


@dataclass(frozen=True)
class Stopwatch:
    """Times the variants ``made`` of a model by one image, inside ``alone``."""

    made: Variants
    feed: Feed
    alone: Alone

    def layers(self, setting: Setting, threads: int) -> tuple[Times, Times]:
        """Milliseconds of layers in FP32 and in ``setting``, as far as the runtime tells them.

        Raises TypeError where the variants cannot be timed.
        """
        made = self._timed()
        with self._undisturbed():
            return made.layer_times(setting, self.feed, threads)

    def forms(self, settings: Mapping[str, Setting], threads: int) -> dict[str, Rounds]:
        """Milliseconds of the whole in each of ``settings``, and in FP32: interleaved.

        Raises TypeError where the variants cannot be timed.
        """
        calls = self._timed().calls(settings, self.feed, threads)
        with self._undisturbed():
            return time_rounds(calls, threads)

    def _timed(self) -> TimedVariants:
        if not isinstance(self.made, TimedVariants):
            raise TypeError(f"{type(self.made).__name__} cannot be timed while layers are chosen")
        return self.made

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Alone on the machine, and on any of its cores."""
        with self.alone() as cores, bound(cores):
            yield
