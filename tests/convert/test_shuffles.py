"""Shuffles that Gathers take the parts of, as ShuffleNetV2's own code writes them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.shuffles import shuffle_regions
from fqbench.convert.canonical import canonicalize
from fqbench.convert.shuffles import gathers_as_shuffles
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from tests.support.onnx_graphs import Net

SIDE = 4


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})


def evens_and_odds(net: Net, source: str, sides: int = 2, *, turned: bool = False) -> list[str]:
    """``x.reshape(c / 2, 2, h * w).permute(1, 0, 2).reshape(2, 1, c / 2, h, w)[side]``."""
    channels = net.channels[source]
    shapes = {
        "pairs": [channels // sides, sides, SIDE * SIDE],
        "sides": [sides, 1, channels // sides, SIDE, SIDE],
    }
    names = {k: net.constant(f"{source}_{k}", np.array(v)) for k, v in shapes.items()}
    pairs = net.node("Reshape", source, names["pairs"])
    parted = net.node("Transpose", pairs, perm=[1, 0, 2])
    whole = net.node("Reshape", parted, names["sides"])
    order = range(sides)[:: -1 if turned else 1]
    indices = [net.constant(f"{source}_{side}", np.array(side)) for side in order]
    return [net.node("Gather", whole, at, axis=0, channels=channels // sides) for at in indices]


def block(net: Net, width: int, sides: int, *, turned: bool = False) -> onnx.ModelProto:
    parts = evens_and_odds(net, net.node("Relu", net.conv("x", width)), sides, turned=turned)
    deep = net.node("Relu", net.conv(parts[0], 4))
    return net.model(net.conv(net.concat(deep, *parts[1:]), 3, 1))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(2, 4), st.booleans(), st.integers(0, 2**16))
def test_it_is_a_shuffle_and_a_split_of_the_same_values(each, sides, turned, seed):
    net = Net(seed, (1, 3, SIDE, SIDE))
    model = block(net, each * sides, sides, turned=turned)
    wanted = run(model, image := net.image())
    found = canonicalize(model, net.shape)
    if each > 1:
        assert not {"Gather"} & set(kinds(found))
        assert len(shuffle_regions(Graph(found))) == 1
    np.testing.assert_array_equal(run(found, image)[0], wanted[0])


def test_a_tensor_has_the_shape_that_the_graph_states():
    """Some releases of ONNX Runtime state that of each, others only some."""
    net = Net(2, (1, 3, SIDE, SIDE))
    stated = onnx.shape_inference.infer_shapes(block(net, 8, 2))
    found = gathers_as_shuffles(stated)
    onnx.shape_inference.infer_shapes(found, strict_mode=True)
    assert len(shuffle_regions(Graph(onnx.shape_inference.infer_shapes(found)))) == 1


def also_handed_out(net: Net) -> onnx.ModelProto:
    parts = evens_and_odds(net, net.node("Relu", net.conv("x", 8)))
    whole = net.nodes[-3].output[0]
    return net.model(net.conv(net.concat(*parts), 3, 1), whole)


def one_part(net: Net) -> onnx.ModelProto:
    first, _ = evens_and_odds(net, net.node("Relu", net.conv("x", 8)))
    net.nodes.pop()
    return net.model(net.conv(first, 3, 1))


def of_places(net: Net) -> onnx.ModelProto:
    source = net.node("Relu", net.conv("x", 8))
    shape = net.constant("turned", np.array([SIDE * SIDE, 8]))
    rows = net.node("Reshape", source, shape)
    return net.model(net.node("Gather", rows, net.constant("one", np.array(1)), axis=0))


@pytest.mark.parametrize("write", [also_handed_out, one_part, of_places])
def test_what_is_no_shuffle_stays(write):
    net = Net(2, (1, 3, SIDE, SIDE))
    model = write(net)
    before = kinds(model)
    assert kinds(gathers_as_shuffles(model)) == before
