"""Slices that OpenVINO takes out of a graph although they matter.

It removes one that begins at 0 before a GatherElements, whose indices would not reach further. But
it does so along whatever axis is cut, and where that is not the axis that is gathered along, the
shapes do not fit any more and the model cannot be loaded (2026.4). A Split stays.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fqbench.graph.graph import Graph, add_constant, replace_items


def slices_as_splits(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with a Split for each such Slice; the same function."""
    graph = Graph(model)
    result = deepcopy(model)
    nodes = []
    for node in result.graph.node:
        gathered = {n.op_type for n in graph.consumers.get(node.output[0], [])}
        part = _first_part(graph, node) if "GatherElements" in gathered else None
        if part is None:
            nodes.append(node)
            continue
        axis, sizes = part
        add_constant(result.graph, f"{node.name}__parts", np.array(sizes, np.int64))
        ends = [node.output[0], f"{node.output[0]}__rest"]
        reads = [node.input[0], f"{node.name}__parts"]
        nodes.append(helper.make_node("Split", reads, ends, node.name, axis=axis))
    replace_items(result.graph.node, nodes)
    return result


def _first_part(graph: Graph, node: onnx.NodeProto) -> tuple[int, tuple[int, int]] | None:
    """The axis of which the Slice ``node`` takes the first part, and the sizes of that and of the
    rest; None where it is no such one."""
    shape = graph.shape(node.input[0]) if node.op_type == "Slice" else None
    if shape is None or not all(name in graph.weights for name in node.input[1:] if name):
        return None
    limits = [
        numpy_helper.to_array(graph.weights[name]).tolist() if name else []
        for name in node.input[1:]
    ]
    starts, ends, axes, steps = [*limits, [], []][:4]
    if starts != [0] or (steps or [1]) != [1]:
        return None
    axis = axes[0] if axes else 0
    size = shape[axis]
    taken = min(ends[0] if ends[0] >= 0 else size + ends[0], size)
    return (axis, (taken, size - taken)) if 0 < taken < size else None
