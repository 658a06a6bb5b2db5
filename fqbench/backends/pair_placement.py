"""Where quantize pairs go, for backends whose kernels keep integers and add residual sums."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass

import onnx

from fqbench.graph.graph import Graph
from fqbench.quantize.record import Quantization
from fqbench.quantize.sharing import keeps_scale, rounded_inputs


@dataclass(frozen=True)
class Kernels:
    """What kernels in integers read and write.

    ``layers``: those that run in INT8, by name, each with the tensor that it reads rounded.
    ``added``: see ``sums``. ``results``: the tensors that these kernels write.
    """

    layers: Mapping[str, str]
    added: Mapping[str, str]
    results: frozenset[str]

    @staticmethod
    def of(
        graph: Graph,
        candidates: Iterable[onnx.NodeProto],
        quantization: Quantization,
        activations: Container[str],
    ) -> Kernels:
        """Those of the layers ``candidates``, which compute ``activations`` of what they write."""
        layers = rounded_inputs(graph, candidates, quantization)
        nodes = graph.model.graph.node
        written = {
            _written(graph, node.output[0], activations) for node in nodes if node.name in layers
        }
        added = sums(graph, written, quantization.ranges)
        written.update(
            _written(graph, node.output[0], activations) for node in nodes if node.name in added
        )
        return Kernels(layers, added, frozenset(written))

    def readers(
        self,
        graph: Graph,
        name: str,
        exact: Container[str],
        leading: Container[str],
        *,
        whole: bool,
    ) -> frozenset[str]:
        """The nodes (by name) that read the tensor ``name`` rounded.

        ``exact``: nodes that must not. ``leading``: those that move it to other tensors that are
        rounded. ``whole``: whether all that may read it so do, since it is in integers anyway.
        """
        return frozenset(
            node.name
            for node in graph.consumers[name]
            if name == self.layers.get(node.name)
            or (
                node.name not in exact
                and (whole or name == self.added.get(node.name) or node.name in leading)
            )
        )


def moved(graph: Graph, node: onnx.NodeProto, stopping: Container[str] = ()) -> list[str]:
    """The tensors, read and written, whose values ``node`` only moves or chooses; else none.

    ``stopping``: operators that integers do not get through, although they only move values.
    """
    if node.op_type == "Concat":
        return [name for name in (*node.input, *node.output) if name not in graph.weights]
    moves = keeps_scale(node) and node.op_type not in stopping
    if moves and node.input[0] not in graph.weights:
        return [node.input[0], *node.output]
    return []


def with_sources(graph: Graph, wanted: Collection[str], stopping: Container[str] = ()) -> set[str]:
    """``wanted``, and what they are moved from: the pairs are then where integers begin."""
    found = set(wanted)
    for node in reversed(graph.model.graph.node):
        if not found.isdisjoint(node.output):
            found.update(name for name in moved(graph, node, stopping) if name not in node.output)
    return found


def leads_on(
    graph: Graph, node: onnx.NodeProto, tensors: Container[str], stopping: Container[str] = ()
) -> bool:
    """Whether ``node`` moves what it reads to one of ``tensors``."""
    return bool(moved(graph, node, stopping)) and any(name in tensors for name in node.output)


def sums(graph: Graph, results: Container[str], ranges: Container[str]) -> dict[str, str]:
    """Of each Add (by name) that a kernel computes, what that adds to its own result.

    ``results``: what kernels in integers write. The other side is read through a pair, as such a
    kernel takes it. Where both sides are results, the deeper one computes the sum: the other is
    the short branch of a residual block.
    """
    depth = _depths(graph)
    found = {}
    for node in graph.model.graph.node:
        if node.op_type != "Add" or len(set(node.input)) < 2:
            continue
        shapes = {graph.shape(name) for name in node.input}
        own = [
            name
            for name in node.input
            if name in results and len(graph.consumers[name]) == 1 and name not in graph.outputs
        ]
        if not own or len(shapes) > 1 or any(name in graph.weights for name in node.input):
            continue
        main = max(own, key=lambda name: depth[name])
        other = next(name for name in node.input if name != main)
        if other in ranges:
            found[node.name] = other
    return found


def _written(graph: Graph, name: str, activations: Container[str]) -> str:
    """What a kernel writes that computes ``name``: behind the activation, if one follows."""
    readers = graph.consumers[name]
    if name in graph.outputs:
        return name
    if len(readers) == 1 and readers[0].op_type in activations:
        return str(readers[0].output[0])
    for reader in readers:
        if graph.is_silu(reader) and len(readers) == 2:
            return str(reader.output[0])
    return name


def _depths(graph: Graph) -> Mapping[str, int]:
    """Layers on the longest way from an input to each tensor."""
    found: dict[str, int] = {}
    for node in graph.model.graph.node:
        depth = max((found.get(name, 0) for name in node.input), default=0)
        found.update(dict.fromkeys(node.output, depth + (node.op_type in ("Conv", "Gemm"))))
    return found
