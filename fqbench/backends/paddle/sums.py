"""Sums that Paddle folds into a convolution, as residual networks have them.

Such a convolution runs in INT8 only where all that is added and the result have a scale, and it
writes the kind of codes that is added, int8 or uint8, whatever activation follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fqbench.backends.paddle.layers import Layer
from fqbench.convert.program import index_of, producer_of, readers_of

Matched = Sequence[tuple[Any, Layer]]
"""Convolutions of a program with what is known of them."""

SCALE = "out_threshold"
"""The attribute in which Paddle's passes look for the largest magnitude of a result."""


UNSCALED_SUM = "Paddle folds a sum into it, and nothing says the scale of what is added"


@dataclass(frozen=True)
class Sum:
    """A sum of two computed variables, and the operator that alone reads it, if there is one."""

    add: Any
    behind: Any

    @property
    def parts(self) -> tuple[str, str]:
        """What is added."""
        return self.add.input("X")[0], self.add.input("Y")[0]

    @property
    def activation(self) -> str | None:
        """The activation that folds into a convolution together with this sum."""
        kind = None if self.behind is None else self.behind.type
        return kind if kind in ("relu", "relu6") else None

    @property
    def result(self) -> str:
        """The variable that a convolution writes into which this sum is folded."""
        last = self.add if self.activation is None else self.behind
        return str(last.output("Out")[0])


def fold_sums(block: Any, matched: Matched) -> list[tuple[Any, Layer]]:
    """Prepare the sums that fold into one of the ``matched``; return those that can run in INT8.

    Not quantized yet. What is added and the results get scales, and a Relu behind a sum is
    written as one whose codes Paddle takes for int8, as those of what is added: for uint8 it would
    take 255 steps, and lose what is behind the 127th.
    """
    layer_of = {result_of(block, op): layer for op, layer in matched}
    paired = {op.input("Input")[0] for op, _ in matched}
    added = {name: layer.result_amax for name, layer in layer_of.items()}
    foldable = [found for found in _sums(block) if not layer_of.keys().isdisjoint(found.parts)]
    for found in foldable:
        for name in found.parts:
            if name in layer_of and layer_of[name].sum_amax is not None:
                added.setdefault(found.result, layer_of[name].sum_amax)
    scales = {name: amax for name, amax in added.items() if amax}
    left_out: set[str] = set()
    for found in foldable:
        named = {*found.parts, found.result}
        if found.activation == "relu6" or not named <= scales.keys() | paired:
            left_out.update(layer_of[name].name for name in found.parts if name in layer_of)
            continue
        for name in named - paired:
            producer_of(block, name)._set_attr(SCALE, scales[name])
        if found.activation == "relu":
            _hold_signed(block, found)
    return [(op, layer) for op, layer in matched if layer.name not in left_out]


def result_of(block: Any, convolution: Any) -> str:
    """The variable that ``convolution`` writes, behind its bias."""
    (name,) = convolution.output("Output")
    behind = readers_of(block, name)
    biased = len(behind) == 1 and behind[0].type == "elementwise_add"
    if biased and block.var(behind[0].input("Y")[0]).persistable:
        return str(behind[0].output("Out")[0])
    return str(name)


def _sums(block: Any) -> list[Sum]:
    found = []
    for op in block.ops:
        if op.type == "elementwise_add" and not block.var(op.input("Y")[0]).persistable:
            behind = readers_of(block, op.output("Out")[0])
            found.append(Sum(op, behind[0] if len(behind) == 1 else None))
    return found


def _hold_signed(block: Any, found: Sum) -> None:
    index, target = index_of(block, found.behind), found.result
    amax = found.behind.attr(SCALE) if found.behind.has_attr(SCALE) else None
    block._remove_op(index)
    written = block._insert_op(
        index,
        type="leaky_relu",
        inputs={"X": block.var(found.add.output("Out")[0])},
        outputs={"Out": block.var(target)},
        attrs={"alpha": 0.0},
    )
    if amax is not None:
        written._set_attr(SCALE, amax)
