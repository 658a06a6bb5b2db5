"""How long each node of a model takes on a backend, by the runtime's own profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from fqbench.graph.executor import Feed
    from fqbench.graph.graph import Graph

Role = Literal["layer", "conversion", "operator"]


@dataclass(frozen=True)
class NodeTime:
    """A node of the graph that a runtime executes; ``kind``: the runtime's name of what it is.

    ``role``: a layer multiplies by weights; a conversion changes how values are represented or lie
    in memory, and not what they are: quantize, dequantize, reorder; an operator is what is neither.
    ``layer``: what a layer is called in FP32 and INT8 alike, None where that is not known.
    ``depthwise``: whether it is a convolution of each channel by itself. ``integers``: whether it
    reads integers. ``ms``: milliseconds in the fastest of several inferences, which hardly anything
    disturbed.
    """

    kind: str
    role: Role
    layer: str | None
    depthwise: bool
    integers: bool
    ms: float


class TimeNodes(Protocol):
    """Times each node of a model, see ``Backend.time_nodes``."""

    def __call__(
        self, folder: Path, canonical: Graph, feed: Feed, *, precision: str, threads: int
    ) -> Sequence[NodeTime]:
        """The nodes of the model in ``folder``, an artifact, as the runtime executes them.

        ``canonical``: the graph that it was made of; ``precision``: what the runtime is asked for.
        Imports native code: call it in a child process. Raises StepError.
        """
        ...
