"""``Precision``: all that the rest of fqbench knows of the numbers that a cell computes with.

No field has a default: what is left out would be another precision's behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from fqbench.cells import Cell
    from fqbench.pipeline.graph.networks import Networks
    from fqbench.steps import ArtifactNode

Kernel = Literal["float32", "int8", "copy"]
"""A reference kernel, see ``fqbench.measure.reference``."""

CHOSEN = "*"
"""Of ``Precision.method``: the method of quantization that a run is asked for."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Number:
    """How a value is represented: by how many ``bits``, as an integer or as a float."""

    bits: int
    kind: Literal["integer", "float"]


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A precision.

    ``name``: what cells and options call it. ``label``: what reports call it. ``weights``,
    ``activations``: what layers multiply. ``baseline``: whether it is what all others are compared
    with; only one is. ``calibrates``: whether its models depend on calibration images. ``kernel``:
    the reference kernel that computes as its cells do, the roof that they are held to; None: none
    does.

    ``network``: from the graph of a model's steps and a cell of this precision, the node of what
    its backend loads, or builds its engine from. ``runtime_name``: what the runtime is asked for to
    load that. ``method``: the method of quantization that makes its models, ``CHOSEN`` for the one
    that a run is asked for; or else what its rows have as method, which reports call
    ``method_label``; None: nothing.
    """

    name: str
    label: str
    weights: Number
    activations: Number
    baseline: bool
    calibrates: bool
    kernel: Kernel | None
    network: Callable[[Networks, Cell], ArtifactNode]
    runtime_name: str
    method: str | None
    method_label: str | None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {self.name!r}, expected lower-case letters, digits and underscores"
            )
        if self.kernel is not None and self.kernel not in get_args(Kernel):
            known = ", ".join(get_args(Kernel))
            raise ValueError(f"kernel is {self.kernel!r}, expected {known} or None")
        if not callable(self.network):
            raise TypeError("network is no function")
