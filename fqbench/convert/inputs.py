"""The inputs of a model as every graph has them that fqbench works on, and as its file has them.

Every graph takes one image, float32 [1, channels, height, width], and beside it only what differs
from image to image::

    x uint8 [4, h, w, 3] ─► network      x float32 [1, 3, h, w] ─► Transpose ─► Cast ─► network
    im_shape [4, 2] ─┘                             (constant) im_shape [1, 2] ─┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_node, make_tensor_value_info
from onnx.numpy_helper import to_array

from fqbench.convert.batch import SHAPE_INPUTS
from fqbench.graph.graph import add_constant, attributes, replace_items
from fqbench.spec.inputs import Filled, ImageForm
from fqbench.spec.preprocessing import Size
from fqbench.vision.inputs import TO_NCHW, TO_NHWC, as_taken, constant

TYPES = {
    "float32": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "uint8": onnx.TensorProto.UINT8,
}

FLOAT = onnx.TensorProto.FLOAT

MOVING = frozenset(
    {
        "Concat",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that only move values: of floats that are whole numbers as of integers."""


@dataclass(frozen=True)
class OwnInputs:
    """The inputs of a model's file: that of the ``image``, its ``form``, and what fills the others.

    An input that is in none of them is filled as every graph's is.
    """

    image: str
    form: ImageForm
    others: Mapping[str, Filled]

    def constants(self, size: Size) -> dict[str, NDArray[Any]]:
        """What is the same for each image whose tensor has this ``size``, as the file takes it."""
        alike = {name: other for name, other in self.others.items() if not other.differs}
        return {name: constant(other, size) for name, other in alike.items()}

    def possible(self, image: NDArray[Any]) -> NDArray[Any]:
        """``image`` as near as the file can take it, where it was made up: whole numbers."""
        return np.clip(np.rint(image), 0, 255) if self.form.type == "uint8" else image

    def feed(self, names: Sequence[str], plain: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What the file, with the inputs ``names``, takes where a graph of ours takes ``plain``."""
        given = iter(plain)
        kept = {n: next(given) for n in names if n not in self.others or self.others[n].differs}
        image = kept[self.image]
        constants = self.constants((image.shape[2], image.shape[3]))
        kept[self.image] = as_taken(image, self.form)
        for name, other in self.others.items():
            if other.differs:
                kept[name] = kept[name].astype(other.type)
        return [constants[name] if name in constants else kept[name] for name in names]


def with_plain_inputs(
    model: onnx.ModelProto, own: OwnInputs, shape: Sequence[int | str]
) -> onnx.ModelProto:
    """``model``, whose file has its ``own`` inputs, with an image of float32 and ``shape``.

    A size of ``shape`` that is a name is left open: no constant may depend on it.
    Inputs that are the same for each image become constants. ``model`` has float32 for floats of
    16 bits already.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, form = result.graph, own.form
    height, width = (0 if isinstance(size, str) else size for size in shape[2:])
    constants = own.constants((height, width))
    replace_items(graph.input, (value for value in graph.input if value.name not in constants))
    for name, held in constants.items():
        one = held[:1] if own.others[name].is_of_each(form.batch) else held
        add_constant(graph, name, one.astype(np.float32) if one.dtype == np.float16 else one)
    for value in graph.input:
        if value.name in own.others:
            sizes = own.others[value.name].for_one(form.batch).shape
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(make_tensor_value_info(value.name, kind, sizes))
    if form.batch > 1:
        _make_one_image(graph, form.batch)
    taken = next(value for value in graph.input if value.name == own.image)
    kind = taken.type.tensor_type.elem_type
    taken.CopyFrom(make_tensor_value_info(own.image, FLOAT, list(shape)))
    nodes = []
    if form.layout == "nhwc":
        nodes.append(make_node("Transpose", [""], [""], f"{own.image}_layout", perm=TO_NHWC))
    if kind != FLOAT and not _float_may_flow(graph, own.image):
        nodes.append(make_node("Cast", [""], [""], f"{own.image}_type", to=kind))
    _put_before(graph, own.image, nodes)
    del graph.value_info[:]
    return result


def with_own_input(model: onnx.ModelProto, image: str, form: ImageForm) -> onnx.ModelProto:
    """``model``, which takes ``image`` as every graph does, with the input that its file has.

    Of a batch that is fixed it stays one.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    value = next(value for value in graph.input if value.name == image)
    shape = [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
    if form.layout == "nhwc":
        shape = [shape[axis] for axis in TO_NHWC]
    value.CopyFrom(make_tensor_value_info(image, TYPES[form.type], shape))
    nodes = []
    if form.type != "float32":
        nodes.append(make_node("Cast", [""], [""], f"{image}_type", to=FLOAT))
    if form.layout == "nhwc":
        nodes.append(make_node("Transpose", [""], [""], f"{image}_layout", perm=TO_NCHW))
    _put_before(graph, image, nodes)
    return result


def _put_before(graph: onnx.GraphProto, name: str, nodes: Sequence[onnx.NodeProto]) -> None:
    """Let what reads the input ``name`` read what ``nodes``, one after the other, make of it."""
    if not nodes:
        return
    last = name
    for node in nodes:
        node.input[0], node.output[0] = last, node.name
        last = node.name
    _read_instead(graph, name, last)
    replace_items(graph.node, [*nodes, *graph.node])


def _read_instead(graph: onnx.GraphProto, name: str, other: str) -> None:
    """Let all nodes, also of graphs inside, read ``other`` for ``name``."""
    for node in graph.node:
        node.input[:] = [other if read == name else read for read in node.input]
        for attribute in node.attribute:
            _read_instead(attribute.g, name, other)


def _float_may_flow(graph: onnx.GraphProto, image: str) -> bool:
    """Whether the whole numbers of ``image`` are only moved until they are cast to float.

    Casts to float32 are taken away then, so that floats flow in their place.
    """
    moved, cast = {image}, []
    for node in graph.node:
        read = moved.intersection(node.input)
        if not read:
            continue
        if node.op_type == "Cast" and attributes(node).get("to") == FLOAT:
            cast.append(node)
        elif node.op_type in MOVING and _moves(node, moved):
            moved.update(node.output)
        else:
            return False
    if any(value.name in moved for value in graph.output):
        return False
    for node in cast:
        node.op_type = "Identity"
        del node.attribute[:]
    return True


def _moves(node: onnx.NodeProto, moved: set[str]) -> bool:
    """Whether all values that ``node`` moves are those of ``moved``."""
    values = node.input if node.op_type == "Concat" else node.input[:1]
    return moved.issuperset(values) and moved.isdisjoint(node.input[len(values) :])


def _make_one_image(graph: onnx.GraphProto, batch: int) -> None:
    """Let ``graph``, which is of ``batch`` images, be of one, constants that carry the batch too.

    What it computes is to be checked: that a constant carries the batch is a guess.
    """
    _lift_constants(graph)
    values = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == batch:
            dims[0].dim_value = 1
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in values and (new := _of_one(node, index, values[name], batch)) is not None:
                node.input[index] = f"{node.output[0]}_{index}_of_one"
                add_constant(graph, node.input[index], new)


def _of_one(
    node: onnx.NodeProto, index: int, value: NDArray[Any], batch: int
) -> NDArray[Any] | None:
    """What constant input ``index`` of ``node`` is for one image; None where it stays."""
    if SHAPE_INPUTS.get(node.op_type) == index and value.size and value.flat[0] == batch:
        new = value.copy()
        new[0] = 1
        return new
    alike = value.ndim > 1 and value.shape[0] == batch and bool((value == value[:1]).all())
    return value[:1] if alike and node.op_type in ("Concat", "Add", "Mul", "Sub") else None


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Make what Constant nodes hold initializers."""
    kept = []
    for node in graph.node:
        held = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type != "Constant" or held is None:
            kept.append(node)
            continue
        held.name = node.output[0]
        graph.initializer.append(held)
    replace_items(graph.node, kept)
