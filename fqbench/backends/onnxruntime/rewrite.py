"""The canonical graph in operators that ONNX Runtime has fast integer kernels for.

What is written computes the same function. Nodes and weights keep their names.
"""

from __future__ import annotations

from collections.abc import Container
from copy import deepcopy

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fqbench.backends.moves import shuffled
from fqbench.backends.onnxruntime.enlarging import nearest_upsample_as_expand
from fqbench.backends.onnxruntime.silu import float_silus
from fqbench.backends.transposed import (
    depthwise_on_smaller_images,
    stands_for_transposed,
)
from fqbench.graph.graph import Graph, add_constant, attributes, replace_items

BLOCK = 2
"""Stride of the convolutions that read blocks of an image."""

IMAGE_CHANNELS = 4
"""A kernel that collects so few values at a time spends its time on collecting."""

POOL_SUFFIX = "__average"
"""Ending of the names of weights that stand for average pooling."""

SHUFFLE_SUFFIX = "__shuffle"
"""Ending of the names of weights that stand for a change of the channels' order."""

SURROGATE_SUFFIX = "__stand_in"
"""Ending of the names of all such in the graph that is written, so that none counts as a layer."""


def rewrite(
    model: onnx.ModelProto, integers: Container[str], *, float_silu: bool = False
) -> onnx.ModelProto:
    """Return ``model`` with poolings, shuffles, enlargings and the first convolution made fast.

    Only nodes named in ``integers``, those that run in integers, are rewritten. With
    ``float_silu``, SiLU is one operator in float, see ``silu``.
    """
    result = float_silus(model, integers) if float_silu else deepcopy(model)
    result = depthwise_on_smaller_images(result, integers)
    graph = Graph(result)
    rewritings = {
        "AveragePool": _pooling_as_convolution,
        "Conv": _convolution_of_blocks,
        "Reshape": _shuffle_as_convolution,
        "Resize": nearest_upsample_as_expand,
    }
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        rewriting = rewritings.get(node.op_type) if node.name in integers else None
        nodes += [node] if rewriting is None else rewriting(graph, node)
    moved = {"Reshape", "Transpose"}
    read = set(graph.outputs)
    # The last first: what led to a shuffle that is a convolution now is read by nothing.
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if node.op_type in moved and not read.intersection(node.output):
            continue
        read.update(node.input)
        kept.append(node)
    replace_items(result.graph.node, reversed(kept))
    return result


def _shuffle_as_convolution(graph: Graph, last: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A channel shuffle, told by its ``last`` reshape, as a 1 x 1 convolution by a permutation.

    Every code comes back as it was. Kernels for integers want the channels of a place side by
    side, and a transpose over five axes of such a tensor takes several times as long.
    """
    move = shuffled(graph, last)
    if move is None:
        return [last]
    ((source, _), *_) = whole = move.written[last.output[0]]
    order = [channel for _, channel in whole]
    permutation = np.eye(len(order), dtype=np.float32)[order][..., None, None]
    weight = add_constant(graph.model.graph, f"{last.name}{SHUFFLE_SUFFIX}", permutation)
    return [helper.make_node("Conv", [source, weight], last.output, last.name, kernel_shape=[1, 1])]


def _pooling_as_convolution(graph: Graph, pool: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Average pooling without padding as a depthwise convolution: equal to the last bit of a code.

    The pooling kernel for integers takes ten times as long.
    """
    found = attributes(pool)
    shape = graph.shape(pool.input[0])
    kernel = found["kernel_shape"]
    padded = any(found.get("pads", [])) or found.get("auto_pad", b"NOTSET") != b"NOTSET"
    strides = found.get("strides", [1] * len(kernel))
    exact = shape is not None and all(
        (size - k) % s == 0 for size, k, s in zip(shape[2:], kernel, strides, strict=True)
    )
    if shape is None or padded or not exact or "dilations" in found:
        return [pool]
    shares = np.full((shape[1], 1, *kernel), 1.0 / np.prod(kernel), np.float32)
    weight = add_constant(graph.model.graph, f"{pool.name}{POOL_SUFFIX}", shares)
    form = {"group": shape[1], "kernel_shape": kernel, "strides": strides}
    return [helper.make_node("Conv", [pool.input[0], weight], pool.output, pool.name, **form)]


def _convolution_of_blocks(graph: Graph, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A convolution of stride 2 on an image as one of stride 1 on its blocks of 2 x 2 pixels.

    Twelve values lie together then instead of three, and a kernel reads four times fewer places.
    """
    found, shape = attributes(node), graph.shape(node.input[0])
    weight = graph.weights.get(node.input[1])
    alone = len(graph.consumers[node.input[1]]) == 1
    if shape is None or weight is None or not alone or node.input[0] not in graph.inputs:
        return [node]
    fits = (
        len(shape) == 4
        and shape[1] <= IMAGE_CHANNELS
        and all(size % BLOCK == 0 for size in shape[2:])
        and found.get("strides") == [BLOCK, BLOCK]
        and found.get("group", 1) == 1
        and found.get("dilations", [1, 1]) == [1, 1]
        and found.get("auto_pad", b"NOTSET") == b"NOTSET"
    )
    if not fits:
        return [node]
    kernel = list(weight.dims[2:])
    pads = found.get("pads", [0, 0, 0, 0])
    outputs = [
        (size + before + after - k) // BLOCK + 1
        for size, before, after, k in zip(shape[2:], pads[:2], pads[2:], kernel, strict=True)
    ]
    blocks = weight_of_blocks(numpy_helper.to_array(weight), pads[:2])
    begin = [-(-before // BLOCK) for before in pads[:2]]
    end = [
        out - 1 + k - before - size // BLOCK
        for out, k, before, size in zip(outputs, blocks.shape[2:], begin, shape[2:], strict=True)
    ]
    if min(end) < 0:
        return [node]
    graph.replace_weight(weight.name, blocks)
    moved = f"{node.input[0]}__blocks"
    new = helper.make_node(
        "Conv",
        [moved, *node.input[1:]],
        node.output,
        node.name,
        kernel_shape=blocks.shape[2:],
        pads=[*begin, *end],
    )
    mover = helper.make_node(
        "SpaceToDepth", [node.input[0]], [moved], f"{node.name}__blocks", blocksize=BLOCK
    )
    return [mover, new]


def weight_of_blocks(weight: NDArray[np.float32], before: list[int]) -> NDArray[np.float32]:
    """Weight [o, 4 c, ceil, ceil] on blocks for ``weight`` [o, c, h, w] with ``before`` padding.

    Channel ``(2 * row + column) * c + channel`` of a block is its pixel (row, column), as
    SpaceToDepth orders them.
    """
    shift = [pad % BLOCK for pad in before]
    grown = [s + k + (s + k) % BLOCK for s, k in zip(shift, weight.shape[2:], strict=True)]
    outputs, channels = weight.shape[:2]
    padded = np.zeros((outputs, channels, *grown), np.float32)
    height, width = weight.shape[2:]
    padded[:, :, shift[0] : shift[0] + height, shift[1] : shift[1] + width] = weight
    blocks = padded.reshape(
        outputs, channels, grown[0] // BLOCK, BLOCK, grown[1] // BLOCK, BLOCK
    ).transpose(0, 3, 5, 1, 2, 4)
    return np.ascontiguousarray(blocks.reshape(outputs, -1, *blocks.shape[4:]))


def is_surrogate_conv(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution that was none: average pooling, a shuffle, a transposed."""
    pools = node.op_type == "Conv" and node.input[1] == f"{node.name}{POOL_SUFFIX}"
    return shuffles(node) or stands_for_transposed(node) or bool(pools)


def shuffles(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a convolution that stands for a change of the channels' order."""
    return bool(node.op_type == "Conv" and node.input[1] == f"{node.name}{SHUFFLE_SUFFIX}")
