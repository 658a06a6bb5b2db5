"""Transposed convolutions of each channel by itself, as convolutions of the smaller image.

Of stride s, the values at every s-th row and column of the result are a convolution of what is
read; so each channel is read s * s times, by one kernel for each of these places, and the results
are interleaved. Runtimes have fast kernels for that, in float and in integers: ONNX Runtime
computes a ConvTranspose in float only, with channels apart, so that between layers in integers all
that it enlarges is moved and rounded once more; OpenVINO spends half of SimplePose's time on three.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import product

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.numpy_helper import to_array

from fqbench.graph.graph import Graph, add_constant, attributes, drop_unread, replace_items

WEIGHT_SUFFIX = "__phases"
"""Ending of the names of weights that stand for a transposed convolution."""

PARTS_SUFFIX = "__parts"
"""Ending of the name of what is to be interleaved; without it, that of the interleaved."""


LAST_SUFFIX, PLACES_SUFFIX = "__parts_last", "__places"
"""Endings of the names of the parts, channels last, and of these with an axis for each stride."""

MOVES = 5
"""Operators that interleave."""


def is_enlarging(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a ConvTranspose that can be written so: depthwise, by whole factors."""
    if node.op_type != "ConvTranspose" or any(n not in graph.weights for n in node.input[1:]):
        return False
    before, after = graph.shape(node.input[0]), graph.shape(node.output[0])
    found, weight = attributes(node), graph.weights[node.input[1]]
    strides = found.get("strides", [1, 1])
    return (
        before is not None
        and after is not None
        and len(before) == 4
        and before[0] == 1
        and found.get("group", 1) == before[1] > 1
        and weight.dims[1] == 1
        and max(strides) > 1
        and list(after[2:]) == [n * s for n, s in zip(before[2:], strides, strict=True)]
        and found.get("auto_pad", b"NOTSET") == b"NOTSET"
        and not found.get("output_shape")
        and not any(found.get("output_padding", [0]))
        and found.get("dilations", [1, 1]) == [1, 1]
    )


def stands_for_transposed(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution that stands for a transposed one."""
    return bool(node.op_type == "Conv" and node.input[1] == f"{node.name}{WEIGHT_SUFFIX}")


def depthwise_on_smaller_images(model: onnx.ModelProto, chosen: Container[str]) -> onnx.ModelProto:
    """``model`` itself, with the transposed convolutions among ``chosen``, by name, written so.

    The activation behind one is computed before the interleaving, which only moves values.
    """
    graph = Graph(model)
    nodes: list[onnx.NodeProto] = []
    pending: dict[str, list[onnx.NodeProto]] = {}
    written: set[str] = set()
    for node in model.graph.node:
        if node.name in chosen and is_enlarging(graph, node):
            result = graph.result(node)
            repeating, interleaving = _moves(graph, node, result)
            nodes += [*repeating, _convolution(graph, node)]
            pending[result] = interleaving
            written.add(node.output[0])
        else:
            nodes.append(node)
        last = nodes[-1]
        if last.output[0] in pending:
            moves = pending.pop(last.output[0])
            last.output[0] += PARTS_SUFFIX
            nodes += moves
    replace_items(model.graph.node, nodes)
    # What carries its name is that of the smaller image now.
    known = [value for value in model.graph.value_info if value.name not in written]
    replace_items(model.graph.value_info, known)
    return model


def interleaved_at_once(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` itself, whose parts are interleaved by one DepthToSpace where strides are equal.

    For runtimes that have a kernel of it for channels that lie side by side.
    """
    graph = Graph(model)
    nodes = {node.output[0]: node for node in model.graph.node}
    for first in model.graph.node:
        stem = first.output[0].removesuffix(LAST_SUFFIX)
        if stem == first.output[0] or f"{stem}{PLACES_SUFFIX}_shape" not in graph.weights:
            continue
        sizes = to_array(graph.weights[f"{stem}{PLACES_SUFFIX}_shape"])
        if sizes[2] != sizes[3]:
            continue
        chain = [first]
        while len(chain) < MOVES:
            chain += graph.consumers[chain[-1].output[0]]
        whole = chain[-1].output[0]
        for node in chain[1:]:
            del nodes[node.output[0]]
        nodes[first.output[0]] = helper.make_node(
            "DepthToSpace", first.input, [whole], first.name, blocksize=int(sizes[2])
        )
    replace_items(model.graph.node, nodes.values())
    drop_unread(model.graph)
    return model


def _convolution(graph: Graph, node: onnx.NodeProto) -> onnx.NodeProto:
    found = attributes(node)
    strides = found["strides"]
    weight, pads = phases(graph.weight(node), strides, found.get("pads", [0, 0, 0, 0])[:2])
    names = [add_constant(graph.model.graph, f"{node.name}{WEIGHT_SUFFIX}", weight)]
    bias = graph.bias(node)
    if bias is not None:
        every = np.tile(bias, int(np.prod(strides)))
        names.append(add_constant(graph.model.graph, f"{node.name}__bias_of_phases", every))
    form = {"group": len(weight), "kernel_shape": weight.shape[2:], "pads": pads}
    source = f"{node.name}__repeated"
    return helper.make_node("Conv", [source, *names], node.output, node.name, **form)


def phases(
    weight: NDArray[np.float32], strides: Sequence[int], before: Sequence[int]
) -> tuple[NDArray[np.float32], list[int]]:
    """Weight [s * t * c, 1, h, w] for ``weight`` [c, 1, k, l] of strides s, t; and its padding.

    ``before``: what the transposed convolution cuts off above and on the left. Result r of s at
    place i is the sum over k of x[j] * weight[k], k = r + before + s * (i - j): so tap i - j.
    """
    taps = [
        [
            (place, (k - place - cut) // stride)
            for place in range(stride)
            for k in range(size)
            if (k - place - cut) % stride == 0
        ]
        for size, stride, cut in zip(weight.shape[2:], strides, before, strict=True)
    ]
    highest = [max(0, *(tap for _, tap in axis)) for axis in taps]
    lowest = [min(0, *(tap for _, tap in axis)) for axis in taps]
    kernel = [high - low + 1 for high, low in zip(highest, lowest, strict=True)]
    result = np.zeros((*strides, len(weight), 1, *kernel), np.float32)
    for (row, up), (column, left) in product(*taps):
        k = row + before[0] + strides[0] * up
        m = column + before[1] + strides[1] * left
        result[row, column, :, :, highest[0] - up, highest[1] - left] = weight[:, :, k, m]
    return result.reshape(-1, 1, *kernel), [*highest, *(-low for low in lowest)]


def _moves(
    graph: Graph, node: onnx.NodeProto, result: str
) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """What repeats each channel for ``node``, and what interleaves its parts to ``result``.

    Channels of a place stay side by side, as integer kernels have them.
    """
    shape, name = graph.shape(node.input[0]), node.name
    assert shape is not None
    _, channels, height, width = shape
    down, across = attributes(node)["strides"]

    def reshape(source: str, target: str, sizes: Sequence[int], kind: str = "Reshape") -> None:
        constant = add_constant(graph.model.graph, f"{target}_shape", np.array(sizes, np.int64))
        nodes.append(helper.make_node(kind, [source, constant], [target], target))

    def turn(source: str, target: str, *perm: int) -> None:
        nodes.append(helper.make_node("Transpose", [source], [target], f"{target}_at", perm=perm))

    nodes: list[onnx.NodeProto] = []
    turn(node.input[0], f"{name}__last", 0, 2, 3, 1)
    reshape(f"{name}__last", f"{name}__once", [height, width, 1, channels])
    copies = [height, width, down * across, channels]
    reshape(f"{name}__once", f"{name}__copies", copies, "Expand")
    reshape(f"{name}__copies", f"{name}__joined", [1, height, width, down * across * channels])
    turn(f"{name}__joined", f"{name}__repeated", 0, 3, 1, 2)
    repeating, nodes = nodes, []
    last, places = f"{name}{LAST_SUFFIX}", f"{name}{PLACES_SUFFIX}"
    turn(f"{result}{PARTS_SUFFIX}", last, 0, 2, 3, 1)
    reshape(last, places, [height, width, down, across, channels])
    turn(places, f"{name}__rows", 0, 2, 1, 3, 4)
    reshape(f"{name}__rows", f"{name}__whole", [1, height * down, width * across, channels])
    turn(f"{name}__whole", result, 0, 3, 1, 2)
    return repeating, nodes
