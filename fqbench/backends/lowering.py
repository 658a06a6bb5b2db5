"""What lowering for a backend is called with, and what it returns."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnx

from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import NO_RANGE
from fqbench.quantize.record import Quantization


@dataclass(frozen=True)
class Lowered:
    """What was written.

    ``emulation``: the graph that computes the same, executed operator by operator. ``layers``: how
    many the model has, ``quantized``: how many of them run in INT8. ``float_layers``: see
    ``left_in_float``.
    """

    emulation: onnx.ModelProto
    layers: int
    quantized: int
    float_layers: Mapping[str, str]


def left_in_float(
    model: onnx.ModelProto,
    quantization: Quantization,
    quantized: Container[str],
    reasons: Mapping[str, str],
) -> dict[str, str]:
    """The layers of ``model`` that stay in float where ``quantization`` keeps them not, with why.

    ``quantized``: those that run in INT8, by name; ``reasons``: why others do not, where that is
    not for want of a range.
    """
    return {
        node.name: reasons.get(node.name, NO_RANGE)
        for node in Graph(model).layers()
        if node.name not in quantized and node.name not in quantization.float_layers
    }


class Lower(Protocol):
    """Writes the INT8 form of a model, see ``Int8Form.lower``."""

    def __call__(
        self,
        model: onnx.ModelProto,
        quantization: Quantization,
        folder: Path,
        *,
        feeds: Sequence[Feed],
        float_silu: bool,
        unsigned: frozenset[str],
    ) -> Lowered:
        """Write what the backend loads for ``model``, as ``quantization`` has it, into ``folder``.

        ``feeds``: what tells values that do not fit float16, where some of it is float16.
        ``float_silu``: whether SiLU is computed in float between integers; ``unsigned``: layers
        whose weights are uint8; both only as ``Variants`` allows it. Raises StepError.
        """
        ...
