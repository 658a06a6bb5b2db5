"""The graph that stands for Paddle's INT8: which tensors it rounds, and for which readers."""

import pytest

from fqbench.backends.paddle.symmetric import symmetric
from tests.support.onnx_graphs import Net, record

SHAPE = (1, 4, 8, 8)


def reads(net: Net, *outputs: str) -> dict[str, list[str]]:
    """What each node reads in the rounded graph, pairs and weights left out."""
    model = net.model(*outputs)
    rounded = symmetric(model, record(model, net.image()))
    original = {node.name for node in model.graph.node}
    constants = {tensor.name for tensor in rounded.graph.initializer}
    return {
        node.name: [name for name in node.input if name not in constants]
        for node in rounded.graph.node
        if node.name in original
    }


@pytest.mark.parametrize("kind", ["silu", "relu", "none"])
def test_what_a_convolution_writes_is_rounded_for_all_that_read_it(kind):
    net = Net(0, SHAPE)
    raw = net.conv("x", 4)
    result = {"silu": net.silu, "relu": lambda n: net.node("Relu", n), "none": str}[kind](raw)
    total = net.node("Add", net.node("Sigmoid", net.conv(result, 4)), result)
    found = reads(net, total)
    assert found[f"n_{total}"][1] == f"{result}__rounded"


def test_sum_within_a_convolution_is_rounded_for_all_that_read_it():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 4))
    total = net.node("Relu", net.node("Add", net.conv(first, 4), first))
    last = net.node("Add", net.node("Sigmoid", net.conv(total, 4)), total)
    assert reads(net, last)[f"n_{last}"][1] == f"{total}__rounded"


def test_what_float_operators_write_is_rounded_for_convolutions_only():
    net = Net(0, SHAPE)
    total = net.node("Add", net.silu(net.conv("x", 4)), net.silu(net.conv("x", 4)))
    last = net.node("Mul", net.conv(total, 4), total)
    found = reads(net, last)
    assert found[f"n_{last}"][1] == total
    assert [names for name, names in found.items() if "conv" in name][-1] == [f"{total}__rounded"]
