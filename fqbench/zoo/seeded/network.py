"""Writes an ONNX graph node by node, with random weights that keep activations alive.

Each node is computed on a few images as it is written. So a convolution's weight and bias are
chosen with its own input at hand: as if a trained batch norm had followed and been folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.graph.executor import open_session, session_options

OPSET, IR_VERSION = 17, 8
"""The first opset that has LayerNormalization; what every supported runtime loads."""

EPSILON = 1e-5
"""Of a variance."""

VARIETY = 0.3
"""How much channels differ: standard deviation of their offset, and of the logarithm of their
spread. In trained networks, channels do not have one range."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Values:
    """About which values a layer writes over all images: their mean and standard deviation."""

    mean: float = 0.0
    spread: float = 1.0


STANDARD = Values()


class Network:
    """A graph that begins with ``image``, [n, 3, h, w] of the ``images``; it is written for one.

    Methods write nodes and return the names of the tensors that these compute.
    """

    def __init__(self, images: NDArray[np.float32], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._values: dict[str, Array] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self.notes: dict[str, str] = {}
        self.image = self.input("image", images)

    def input(self, name: str, values: Array, free: Mapping[int, str] | None = None) -> str:
        """An input; ``values`` [n, ...] are what it is computed with, ``free`` names open axes."""
        shape: list[int | str] = [1, *values.shape[1:]]
        for axis, size in (free or {}).items():
            shape[axis] = size
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        self._inputs = [value for value in self._inputs if value.name != name]
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self._values[name] = values
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant, of float32 unless said."""
        name = f"constant_{len(self._constants)}"
        self._constants[name] = self._values[name] = np.asarray(value, dtype)
        return name

    def learned(self, *shape: int, spread: float = 1.0) -> str:
        """A constant of normal values, such as positions of tokens."""
        return self.constant(spread * self.random.standard_normal(shape))

    def values(self, name: str) -> Array:
        """What the tensor ``name`` is for the images."""
        return self._values[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the tensor ``name``, its first size the number of images."""
        return tuple(self._values[name].shape)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        *_, height, width = self.shape(self.image)
        return height, width

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One operator with one output."""
        return self.nodes(kind, *inputs, outputs=1, **attributes)[0]

    def nodes(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> tuple[str, ...]:
        """One operator with several outputs."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        ends = [f"{name}_{number}" if number else name for number in range(outputs)]
        node = helper.make_node(kind, list(inputs), ends, name, **attributes)
        given = {each: self._values[each] for each in inputs if each}
        self._values.update(zip(ends, _computed(node, given), strict=True))
        self._nodes.append(node)
        return tuple(ends)

    def reshape(self, x: str, *shape: int) -> str:
        """``x`` with another shape; 0 keeps a size, -1 takes the rest."""
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def tokens(self, x: str) -> str:
        """[n, channels, h, w] as rows [n, h · w, channels]."""
        return self.node("Transpose", self.reshape(x, 0, self.shape(x)[1], -1), perm=[0, 2, 1])

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: int = 1,
        stride: int | tuple[int, int] = 1,
        *,
        groups: int = 1,
        dilation: int = 1,
        pad: int | None = None,
        values: Values = STANDARD,
    ) -> str:
        """A convolution that keeps the size but for ``stride`` (h, w), unless ``pad`` says else.

        ``values``: those of its output.
        """
        pad = dilation * (kernel // 2) if pad is None else pad
        weight = self._weight(outputs, self.shape(x)[1] // groups, kernel, kernel)
        how = {
            "kernel_shape": [kernel] * 2,
            "strides": list(stride) if isinstance(stride, tuple) else [stride] * 2,
            "pads": [pad] * 4,
            "dilations": [dilation] * 2,
            "group": groups,
        }
        return self._normalized("Conv", x, weight, 0, values, how)

    def conv_transpose(self, x: str, outputs: int, kernel: int) -> str:
        """A transposed convolution to twice the height and width."""
        weight = self._weight(self.shape(x)[1], outputs, kernel, kernel)
        how = {"kernel_shape": [kernel] * 2, "strides": [2, 2], "pads": [kernel // 2 - 1] * 4}
        return self._normalized("ConvTranspose", x, weight, 1, STANDARD, how)

    def linear(self, x: str, outputs: int, values: Values = STANDARD) -> str:
        """A fully connected layer of the last axis, as a product and a sum."""
        inputs = self.shape(x)[-1]
        weight = self.constant(values.spread * self._weight(inputs, outputs) * inputs**-0.5)
        bias = self.constant(values.mean + VARIETY * self.random.standard_normal(outputs))
        return self.node("Add", self.node("MatMul", x, weight), bias)

    def layer_norm(self, x: str) -> str:
        """A layer normalization, some of whose channels stand out."""
        size = self.shape(x)[-1]
        gain = self.constant(np.exp(self.random.normal(0, 2 * VARIETY, size)))
        offset = self.learned(size, spread=VARIETY)
        return self.node("LayerNormalization", x, gain, offset, axis=-1)

    def relu(self, x: str) -> str:
        """Rectified."""
        return self.node("Relu", x)

    def silu(self, x: str) -> str:
        """As exporters write it, in two operators."""
        return self.node("Mul", x, self.node("Sigmoid", x))

    def gelu(self, x: str) -> str:
        """As exporters write it before opset 20: x / 2 · (1 + erf(x / √2))."""
        error = self.node("Erf", self.node("Div", x, self.constant(2**0.5)))
        gate = self.node("Add", error, self.constant(1.0))
        return self.node("Mul", self.node("Mul", x, gate), self.constant(0.5))

    def model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        """The model that ends in the tensors ``outputs``; ``notes`` are its metadata."""
        graph = helper.make_graph(
            self._nodes,
            "seeded",
            self._inputs,
            [self._described(name) for name in outputs],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        helper.set_model_props(model, self.notes)
        return model

    def _described(self, name: str) -> onnx.ValueInfoProto:
        """An output for one image, of any size where an input leaves one open."""
        value = self._values[name]
        shapes = (entry.type.tensor_type.shape.dim for entry in self._inputs)
        if any(size.dim_param for shape in shapes for size in shape):
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            return helper.make_tensor_value_info(name, kind, [1, *[None] * (value.ndim - 1)])
        return _typed(name, value[:1])

    def _weight(self, *shape: int) -> NDArray[np.float64]:
        return self.random.standard_normal(shape)

    def _normalized(
        self,
        kind: str,
        x: str,
        weight: Array,
        axis: int,
        values: Values,
        attributes: Mapping[str, Any],
    ) -> str:
        """A convolution whose channels, ``axis`` of its weight, have about these ``values``."""
        names = [x, "weight"]
        node = helper.make_node(kind, names, ["raw"], **attributes)
        given = {x: self._values[x], "weight": weight.astype(np.float32)}
        raw = _computed(node, given)[0].astype(np.float64)
        count = raw.shape[1]
        wanted = values.spread * np.exp(self.random.normal(0, VARIETY, count))
        scale = wanted / np.sqrt(raw.var(axis=(0, 2, 3)) + EPSILON)
        offset = values.mean + values.spread * self.random.normal(0, VARIETY, count)
        bias = self.constant(offset - raw.mean(axis=(0, 2, 3)) * scale)
        along = [1, 1, 1, 1]
        along[axis] = count
        return self.node(kind, x, self.constant(weight * scale.reshape(along)), bias, **attributes)


def _computed(node: onnx.NodeProto, given: Mapping[str, Array]) -> list[Array]:
    """The outputs of one node."""
    graph = helper.make_graph(
        [node],
        "node",
        [_typed(name, value) for name, value in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    session = open_session(model.SerializeToString(), session_options(threads=1))
    found: list[Array] = session.run(None, dict(given))
    return found


def _typed(name: str, value: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
    )
