"""Which operators between convolutions Paddle Inference runs in integers.

Paddle takes a kind of operator into INT8 as a whole. Where that brings nothing or goes wrong, an
operator is told to stay in float, by the attribute that Paddle's passes read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

BETWEEN = ("concat", "pool2d", "nearest_interp_v2")
"""Operators whose integer kernel only moves or chooses values, beside averages."""
STAYS_FLOAT, SCALE = "skip_quant", "out_threshold"

Readers = Mapping[str, Sequence[Any]]
"""The operators that read each variable."""

Codes = Literal["uint8", "int8", "either"]


def mark_between(block: Any, amax: Mapping[str, float], written: Collection[str]) -> None:
    """Let those operators of ``BETWEEN`` run in integers that only integers read.

    ``amax``: of the variables that quantize pairs round. ``written``: by convolutions in INT8.
    Concatenations are told the scale of what reads them: without one Paddle takes their parts to
    be positive.
    """
    readers: dict[str, list[Any]] = defaultdict(list)
    for op in block.ops:
        for name in op.input_arg_names:
            readers[name].append(op)
    scales = _scales(block, readers, amax)
    codes: dict[str, Codes] = {}
    for op in block.ops:
        if op.type in ("relu", "relu6"):
            (source,) = op.input("X")
            codes[op.output("Out")[0]] = "uint8" if source in written else "either"
        if op.type not in BETWEEN:
            continue
        (result,) = op.output("Out")
        kinds = {codes.get(name, "int8") for name in op.input("X")}
        if op.type != "concat":
            codes.update(dict.fromkeys([result], kinds.pop()))
        elif not _meet(op, kinds, readers):
            scales.pop(result, None)
        if result not in scales:
            op._set_attr(STAYS_FLOAT, 1)
        elif op.type == "concat":
            op._set_attr(SCALE, scales[result])


def _scales(block: Any, readers: Readers, amax: Mapping[str, float]) -> dict[str, float]:
    """Of results that pairs and operators in integers alone read, the largest magnitude."""
    found: dict[str, float] = {}
    for op in reversed(block.ops):
        if op.type not in BETWEEN:
            continue
        averages = op.type == "pool2d" and op.attr("pooling_type") != "max"
        if averages and op.input("X")[0] not in amax:
            continue
        (result,) = op.output("Out")
        behind = [
            amax.get(result, 0.0)
            if reader.type == "quantize_linear"
            else found.get(reader.output_arg_names[0], 0.0)
            for reader in readers[result]
        ]
        if behind and min(behind) > 0.0:
            found[result] = behind[0]
    return found


def _meet(concat: Any, kinds: set[Codes], readers: Readers) -> bool:
    """Whether the parts of a concatenation are codes of one kind.

    uint8 codes only where nothing else reads a part: a convolution would take it with 255 steps,
    the concatenation with 127.
    """
    alone = all(len(readers[name]) == 1 for name in concat.input("X"))
    return kinds == {"int8"} or (kinds == {"uint8"} and alone)
