"""Which tensors share a scale, and which layers Paddle rounds the inputs of: literal cases."""

from dataclasses import replace

import pytest

from fqbench.graph.graph import Graph
from fqbench.quantize.algorithms import Range
from fqbench.quantize.record import Quantization
from fqbench.quantize.sharing import rounded_inputs, shared_ranges
from tests.support.onnx_graphs import Net, record

SHAPE = (1, 4, 8, 8)


def shared(net: Net, outputs: tuple[str, ...], amax: dict[str, float]) -> dict[str, Range]:
    """What the inputs of the convolutions share, given the amax of some tensors; 1 of others."""
    graph = Graph(net.model(*outputs))
    names = [name for node in graph.model.graph.node for name in node.output]
    ranges = {name: Range(-1.0, 1.0, amax.get(name, 1.0)) for name in ["x", *names]}
    return shared_ranges(graph, ranges, {node.input[0] for node in graph.convolutions()})


def ends(net: Net, *sources: str) -> tuple[str, ...]:
    """Convolutions that read ``sources``."""
    return tuple(net.conv(source, 4) for source in sources)


def test_parts_of_a_concatenation_and_the_whole_share_the_largest():
    net = Net(0, SHAPE)
    first, second = net.silu(net.conv("x", 4)), net.silu(net.conv("x", 4))
    whole = net.concat(first, second)
    last = ends(net, first, whole)
    found = shared(net, last, {first: 2.0, whole: 3.0, second: 9.0})
    assert {name: ends.amax for name, ends in found.items()} == {"x": 1.0, first: 3.0, whole: 3.0}


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "Resize"])
def test_what_moves_or_averages_carries_a_scale(kind):
    net = Net(0, SHAPE)
    first = net.silu(net.conv("x", 4))
    if kind == "Resize":
        behind = net.resize(first)
    else:
        behind = net.node(kind, first, kernel_shape=[2, 2], strides=[2, 2])
    found = shared(net, ends(net, first, behind), {behind: 2.0})
    assert found[first].amax == found[behind].amax == 2.0


def test_scale_goes_through_chains_in_both_directions():
    net = Net(0, SHAPE)
    first, second = net.silu(net.conv("x", 4)), net.silu(net.conv("x", 4))
    enlarged = net.resize(net.concat(first, second))
    last = ends(net, first, enlarged)
    found = shared(net, last, {first: 5.0, enlarged: 2.0})
    assert found[first].amax == found[enlarged].amax == 5.0


def test_concatenation_that_no_convolution_reads_ties_nothing():
    net = Net(0, SHAPE)
    first, second = net.silu(net.conv("x", 4)), net.silu(net.conv("x", 4))
    last = (net.concat(first, second), *ends(net, first, second))
    found = shared(net, last, {first: 2.0, second: 3.0})
    assert (found[first].amax, found[second].amax) == (2.0, 3.0)


def test_only_the_activation_of_a_convolution_has_unsigned_codes():
    net = Net(0, SHAPE)
    positive = net.node("Relu", net.conv("x", 4))
    total = net.node("Relu", net.node("Add", net.conv(positive, 4), positive))
    pooled = net.node("MaxPool", total, kernel_shape=[2, 2])
    last = net.conv(net.node("Relu", net.conv(pooled, 4)), 4)
    graph = Graph(net.model(last))
    found = shared_ranges(
        graph,
        dict.fromkeys([positive, pooled, "x", graph.convolutions()[-1].input[0]], Range(0, 6, 6)),
        {positive, pooled},
    )
    assert found == {positive: Range(0, 6, 6), pooled: Range(-6, 6, 6)}


def test_layer_behind_a_global_average_is_not_rounded():
    net = Net(0, SHAPE)
    average = net.node("GlobalAveragePool", net.conv("x", 4))
    model = net.model(net.conv(net.node("Relu", net.conv(average, 4, 1)), 4, 1))
    quantization = record(model, net.image())
    graph = Graph(model)
    first, behind, last = (node.name for node in graph.convolutions())
    assert rounded(graph, quantization) == {first, last}
    kept = replace(quantization, float_layers={last: "why"})
    assert rounded(graph, kept) == {first}
    assert behind not in rounded(graph, quantization)


def rounded(graph: Graph, quantization: Quantization) -> set[str]:
    return set(rounded_inputs(graph, graph.convolutions(), quantization))
