"""Last operators that read channels last: the same values, and no turning in memory."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from fqbench.backends.openvino.lower import lower
from fqbench.backends.openvino.mend import mended
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import calibrate
from tests.support.enlarging import enlarging, noise
from tests.support.onnx_graphs import Net, anchors
from tests.support.openvino import needs_openvino

SIDE = 8


def outputs(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1))
    return session.run(None, {"x": image})


def same(net, model):
    image = net.image()
    found = mended(model)
    onnx.checker.check_model(found, full_check=True)
    for one, other in zip(outputs(model, image), outputs(found, image), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
    return found


def perms(model):
    nodes = (node for node in model.graph.node if node.op_type == "Transpose")
    return [helper.get_attribute_value(node.attribute[0]) for node in nodes]


def rows(net, source, turns=True):
    """Rows [1, places, channels] of an image, or [1, channels, places] where it is not turned."""
    shape = net.constant(f"{source}_rows", np.array([1, net.channels[source], SIDE * SIDE]))
    made = net.node("Reshape", source, shape)
    return net.node("Transpose", made, perm=[0, 2, 1]) if turns else made


def test_anchors_are_turned_once_at_first():
    net = Net(shape=(1, 3, SIDE, SIDE))
    found = same(net, net.model(anchors(net, net.conv("x", 12), 3, SIDE)))
    assert perms(found) == [[0, 2, 3, 1], [0, 3, 1, 2, 4]]


def test_rows_are_read_as_they_lie():
    net = Net(shape=(1, 3, SIDE, SIDE))
    found = same(net, net.model(rows(net, net.conv("x", 7))))
    assert perms(found) == [[0, 2, 3, 1]]


def test_joined_rows_are_turned_before_they_are_joined():
    net = Net(shape=(1, 3, SIDE, SIDE))
    parts = [rows(net, net.conv("x", 7), turns=False) for _ in range(2)]
    joined = net.node("Concat", *parts, axis=2)
    found = same(net, net.model(net.node("Transpose", joined, perm=[0, 2, 1])))
    assert perms(found) == [[0, 2, 3, 1]] * 2


@pytest.mark.parametrize("shared", ["reshaped", "joined"])
def test_what_others_read_stays_as_it_is(shared):
    net = Net(shape=(1, 3, SIDE, SIDE))
    part = rows(net, net.conv("x", 7), turns=False)
    joined = net.node("Concat", part, rows(net, net.conv("x", 7), turns=False), axis=2)
    last = net.node("Transpose", joined, perm=[0, 2, 1])
    other = net.node("Relu", part if shared == "reshaped" else joined)
    model = net.model(last, other)
    assert mended(model) == model


def test_a_graph_without_such_operators_stays_as_it_is():
    net = Net()
    model = net.model(net.node("Relu", net.conv("x", 8)))
    assert mended(model) == model
    assert numpy_helper.to_array(model.graph.initializer[0]).size


def test_a_silu_is_computed_by_its_tangent():
    net = Net()
    found = same(net, net.model(net.silu(net.conv("x", 8))))
    assert [node.op_type for node in found.graph.node] == ["Conv", "Mul", "Tanh", "Mul", "Add"]


def test_a_gate_that_others_read_stays():
    net = Net()
    source = net.conv("x", 8)
    gate = net.node("Sigmoid", source)
    model = net.model(net.node("Mul", source, gate), net.node("Relu", gate))
    assert mended(model) == model


def test_a_transposed_convolution_is_one_of_the_smaller_image():
    model = enlarging(channels=8, size=(8, 6))
    found = mended(model)
    assert "ConvTranspose" in {node.op_type for node in model.graph.node}
    kinds = [node.op_type for node in found.graph.node]
    assert "ConvTranspose" not in kinds
    assert kinds.count("DepthToSpace") == 1
    (image,) = noise((1, 2, 8, 6), 1)
    np.testing.assert_allclose(outputs(found, image)[0], outputs(model, image)[0], atol=1e-5)


def test_behind_one_integers_are_interleaved():
    model = enlarging(channels=8, size=(8, 6))
    images = noise((1, 2, 8, 6), 8)
    lowered = lower(model, calibrate(model, [(image,) for image in images], "search"))
    graph = Graph(lowered)
    (interleaved,) = (n for n in lowered.graph.node if n.input[0] == "r__parts__rounded")
    assert interleaved.op_type == "DepthToSpace"
    assert [node.op_type for node in lowered.graph.node].count("Transpose") == 2
    assert graph.producer["r__parts__rounded"].op_type == "DequantizeLinear"
    (wanted,), (found,) = outputs(model, images[0]), outputs(lowered, images[0])
    assert np.abs(found - wanted).mean() < 0.05 * np.abs(wanted).mean()


def gathered(net, start, end, step):
    """Rows at some places [1, 5, numbers], of which a Slice takes some numbers."""
    source = net.node("Relu", rows(net, net.conv("x", 7)))
    limits = {"starts": [start], "ends": [end], "axes": [2], "steps": [step]}
    names = [net.constant(name, np.array(value)) for name, value in limits.items()]
    part = net.node("Slice", source, *names)
    numbers = len(range(7)[start:end:step])
    places = net.constant("places", net.random.integers(0, 9, (1, 5, numbers)))
    return net.model(net.node("GatherElements", part, places, axis=1))


@pytest.mark.parametrize(
    ("start", "end", "step", "instead"),
    [(0, 4, 1, True), (0, -3, 1, True), (0, 7, 1, False), (1, 5, 1, False), (0, 5, 2, False)],
)
def test_a_first_part_that_is_gathered_from_is_one_of_a_split(start, end, step, instead):
    net = Net(shape=(1, 3, SIDE, SIDE))
    found = {node.op_type for node in same(net, gathered(net, start, end, step)).graph.node}
    assert ("Split" in found, "Slice" in found) == (instead, not instead)


@needs_openvino
@pytest.mark.slow
def test_openvino_loads_a_gathering_from_a_first_part():
    from fqbench.backends.openvino.runtime import compiled, runner

    net = Net(shape=(1, 3, SIDE, SIDE))
    model, image = gathered(net, 0, 4, 1), net.image()
    file = mended(model).SerializeToString()
    (found,) = runner(compiled(file, 1)).run([image])
    np.testing.assert_allclose(found, outputs(model, image)[0], rtol=1e-4, atol=1e-5)
