"""One ONNX operator on its way into a Paddle program, and the registry of those that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import numpy as np
import onnx
import paddle
from numpy.typing import NDArray

from fqbench.graph.graph import Graph, attributes

Array = NDArray[Any]
Variable = Any
"""A variable of a Paddle program."""

Values = MutableMapping[str, Any]
"""By an ONNX tensor's name: its value where that is constant, a ``Variable`` where computed."""

Convert = Callable[["Operator"], Any]
"""Writes an operator; returns the variable of its result, or a list with one for each result. A
result that is constant may be an array."""

REGISTRY: dict[str, Convert] = {}
"""By the name of an ONNX operator, what writes it."""

APART = "parameters."
"""What stands before the names of parameters while they are counted."""


class Unsupported(Exception):  # noqa: N818
    """Why an operator has no form in Paddle, as the end of a sentence about it."""


def converts(*kinds: str) -> Callable[[Convert], Convert]:
    """Register a function for the ONNX operators ``kinds``."""

    def register(function: Convert) -> Convert:
        for kind in kinds:
            REGISTRY[kind] = function
        return function

    return register


class Operator:
    """A node of a graph, its inputs as Paddle has them, and the program that it is written into."""

    def __init__(self, node: onnx.NodeProto, graph: Graph, values: Values, opset: int) -> None:
        self.node, self.graph, self.opset = node, graph, opset
        self.kind, self._values = node.op_type, values
        self._attributes = attributes(node)

    def has(self, index: int) -> bool:
        """Whether input ``index`` is given."""
        return len(self.node.input) > index and bool(self.node.input[index])

    def count(self) -> int:
        """How many inputs there are."""
        return len(self.node.input)

    def results(self) -> int:
        """How many results the node names."""
        return len(self.node.output)

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute; texts are ``str``."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def known(self, index: int) -> Array | None:
        """The value of input ``index``; None where it is computed or absent."""
        value = self._values[self.node.input[index]] if self.has(index) else None
        return value if isinstance(value, np.ndarray) else None

    def constant(self, index: int, what: str) -> Array:
        """The value of input ``index``. Raises Unsupported where ``what`` it holds is computed."""
        value = self.known(index)
        if value is None:
            raise Unsupported(f"{what} must be constant")
        return value

    def numbers(self, index: int, what: str) -> list[int]:
        """Input ``index`` as integers. Raises Unsupported where ``what`` it holds is computed."""
        return [int(value) for value in self.constant(index, what).reshape(-1)]

    def variable(self, index: int) -> Variable:
        """Input ``index``; a constant becomes a parameter."""
        value = self._values[self.node.input[index]]
        return parameter(value) if isinstance(value, np.ndarray) else value

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of input ``index``. Raises Unsupported where a size of it is free."""
        return sizes(self._values[self.node.input[index]])

    def refuse_others(self, what: str) -> None:
        """Raise Unsupported where a result but the first is read: ``what`` it holds."""
        names = {name for name in self.node.output[1:] if name}
        if any(self.graph.consumers[name] or name in self.graph.outputs for name in names):
            raise Unsupported(f"{what} is read")

    def producer(self, index: int) -> onnx.NodeProto | None:
        """The node that computes input ``index``."""
        return self.graph.producer.get(self.node.input[index])

    def value(self, name: str) -> Any:
        """What the ONNX tensor ``name``, of an earlier node, became."""
        return self._values[name]


def sizes(value: Any) -> tuple[int, ...]:
    """The shape of a constant or variable. Raises Unsupported where a size of it is free."""
    shape = tuple(int(size) for size in value.shape)
    if -1 in shape:
        raise Unsupported("what it reads has no fixed shape")
    return shape


IN_BLOCKS = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "MaxPool",
        "Resize",
    }
)
"""Operators whose kernels store channels in blocks."""

IN_ROWS = frozenset(
    {"Einsum", "Flatten", "Gemm", "MatMul", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators whose results are stored row by row, whatever they read."""


def in_blocks(graph: Graph, name: str) -> bool:
    """Whether the tensor ``name`` may be stored with its channels in blocks."""
    pending, seen = [name], set()
    while pending:
        node = graph.producer.get(pending.pop())
        if node is None or node.op_type in IN_ROWS or id(node) in seen:
            continue
        if node.op_type in IN_BLOCKS:
            return True
        seen.add(id(node))
        pending.extend(node.input)
    return False


def plain(value: Variable) -> Variable:
    """``value`` stored row by row: reshaping does that."""
    shape = list(sizes(value))
    return paddle.reshape(paddle.reshape(value, [-1]), shape)


def numbered(kind: str) -> str:
    """A name for parameters that no other in this process has, as Paddle's own layers have it.

    Programs may share a scope. Paddle's functions count their temporary variables by names alike,
    so these are counted apart from them.
    """
    return str(paddle.utils.unique_name.generate(f"{APART}{kind}")).removeprefix(APART)


def parameter(value: Array, name: str | None = None) -> Variable:
    """A variable that holds ``value``, and is stored with the program."""
    name = name or f"{numbered('constant')}.value"
    block = paddle.static.default_main_program().global_block()
    dtype = str(value.dtype)
    variable = block.create_var(name=name, shape=value.shape, dtype=dtype, persistable=True)
    tensor = paddle.static.global_scope().var(name).get_tensor()
    tensor.set(np.ascontiguousarray(value).reshape(value.shape), paddle.CPUPlace())
    return variable


def emit(kind: str, inputs: Mapping[str, Variable], attrs: Mapping[str, Any]) -> Variable:
    """Append Paddle's operator ``kind``, which no function of Paddle's writes alone; its result."""
    block = paddle.static.default_main_program().global_block()
    dtype = next(iter(inputs.values())).dtype
    name = f"{paddle.utils.unique_name.generate(kind)}.tmp"
    result = block.create_var(name=name, dtype=dtype)
    block.append_op(type=kind, inputs=dict(inputs), outputs={"Out": result}, attrs=dict(attrs))
    return result
