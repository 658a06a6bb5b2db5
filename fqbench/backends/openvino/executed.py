"""The graph that OpenVINO executes, after its optimizations: what each node computes, and in what.

Native code is not imported: what is read is given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

INTEGERS = ("i8", "u8")
LAYERS = ("Convolution", "FullyConnected")
"""Kinds of nodes that convolutions and fully connected layers become; a product of two activations
is another one."""

WITHOUT_BIAS = "/WithoutBiases"
"""Behind the name of a layer whose bias became an operator of its own."""


@dataclass(frozen=True)
class Node:
    """A node of the executed graph.

    ``kind``: OpenVINO's name of what it computes; ``kernel``: what computes it; ``precision``: the
    type of what it reads; ``operators``: names of those of the file that it was made of.
    """

    name: str
    kind: str
    kernel: str
    precision: str
    operators: tuple[str, ...]

    @property
    def is_int8_layer(self) -> bool:
        """Whether it is a layer that multiplies integers."""
        return self.kind in LAYERS and self.precision.lower() in INTEGERS


HALVED = "/Halved"
"""Behind the name of a layer: the operator that halves its result for a SiLU."""


def executed(compiled: Any) -> list[Node]:
    """The nodes of a compiled model, in the order in which they run."""
    return [_node(each) for each in compiled.get_runtime_model().get_ordered_ops()]


def _node(operator: Any) -> Node:
    found: Mapping[str, Any] = operator.get_rt_info()

    def text(key: str) -> str:
        return str(found[key].astype(str)) if key in found else ""

    names = tuple(name for name in text("originalLayersNames").split(",") if name)
    return Node(
        operator.get_friendly_name(),
        text("layerType"),
        text("primitiveType"),
        text("runtimePrecision"),
        names,
    )


def layer_of(node: Node, layers: Collection[str]) -> str | None:
    """Which of ``layers``, by name, ``node`` computes; None where it is none of them."""
    if node.kind not in LAYERS:
        return None
    bare = (name.removesuffix(WITHOUT_BIAS) for name in node.operators)
    names: Iterable[str] = (name.removesuffix(HALVED) for name in bare)
    return next((name for name in names if name in layers), None)
