"""Splits whose results meet again, as slices.

x2paddle joins, adds or multiplies the results of one Split in the order in which the Split writes
them, whatever the order in which they are read; so each of them becomes a tensor of its own::

    c ─► Split ─► p0, p1 ─► Concat(p1, p0)         c ─► Slice ─► p0 ─┐
                                                   c ─► Slice ─► p1 ─┴► Concat(p1, p0)
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fqbench.graph.graph import Graph, attributes


def without_meeting_splits(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` in which each Split is slices where a node reads several of its results.

    One stays whose sizes the graph does not tell.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    graph, made = Graph(inferred), onnx.ModelProto()
    made.CopyFrom(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        sizes = _sizes(graph, node) if _meets(graph, node) else None
        if sizes is None:
            nodes.append(node)
            continue
        ends = [0, *accumulate(sizes)]
        for result, (start, end) in zip(node.output, pairwise(ends), strict=True):
            values = {"starts": start, "ends": end, "axes": _axis(node)}
            names = [f"{result}__{name}" for name in values]
            made.graph.initializer.extend(
                numpy_helper.from_array(np.array([value], np.int64), name)
                for name, value in zip(names, values.values(), strict=True)
            )
            nodes.append(helper.make_node("Slice", [node.input[0], *names], [result], result))
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def _meets(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a Split of which another node reads several results."""
    if node.op_type != "Split":
        return False
    own = set(node.output)
    readers = {id(each): each for name in own for each in graph.consumers[name]}
    return any(len(own & set(reader.input)) > 1 for reader in readers.values())


def _sizes(graph: Graph, split: onnx.NodeProto) -> list[int] | None:
    """How many each result of ``split`` has along its axis; None where that is not known."""
    if "split" in (known := attributes(split)):
        return list(known["split"])
    if len(split.input) > 1 and split.input[1]:
        given = graph.weights.get(split.input[1])
        return None if given is None else numpy_helper.to_array(given).tolist()
    shape = graph.shape(split.input[0])
    if shape is None:
        return None
    whole, parts = shape[_axis(split)], len(split.output)
    each = -(-whole // parts)
    return [min(each, whole - number * each) for number in range(parts)]


def _axis(split: onnx.NodeProto) -> int:
    return int(attributes(split).get("axis", 0))
