"""Shuffles go into the weights, and not one value changes."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import fqbench.backends.onnxruntime.lower as lowering
from fqbench.backends.onnxruntime.lower import layer_counts, lower
from fqbench.backends.shuffles import shuffle_regions, unify_ranges, without_shuffles
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from tests.support.onnx_graphs import Net, record

few = settings(deadline=None, max_examples=25)
SIDE = 8


def everything(model):
    return {node.name for node in model.graph.node}


def kinds(model):
    return [node.op_type for node in model.graph.node]


def run(model, image):
    session = open_session(model.SerializeToString(), session_options(threads=1, exact=True))
    return session.run(None, {"x": image})


def whole_numbers(net):
    """Small ones in all weights, so that sums are exact in whatever order they are taken."""
    for name, value in net.weights.items():
        if value.dtype == np.float32:
            net.weights[name] = net.random.integers(-1, 2, value.shape).astype(np.float32)


def layer(net, source, outputs, size=1, **attributes):
    return net.node("Relu", net.conv(source, outputs, size, **attributes))


def halves(net, source, *, sliced):
    if not sliced:
        return net.split(source)
    half = net.channels[source] // 2
    found = []
    for start, end in ((0, half), (half, 2 * half)):
        bounds = {"starts": start, "ends": end, "axes": 1}
        names = [
            net.constant(f"{source}_{start}_{key}", np.array([value]))
            for key, value in bounds.items()
        ]
        found.append(net.node("Slice", source, *names, channels=half))
    return found


def stage(net, *, blocks, width, groups=2, sliced=False):
    """A stage of ShuffleNetV2 and the first layers of the next one."""
    start = layer(net, "x", 4)
    joined = net.concat(layer(net, start, width), layer(net, start, width))
    for _ in range(blocks):
        kept, read = halves(net, net.shuffle(joined, SIDE, groups), sliced=sliced)
        deep = net.conv(layer(net, read, width), width, 3, groups=width)
        joined = net.concat(kept, layer(net, deep, width))
    last = net.shuffle(joined, SIDE, groups)
    deep = net.conv(last, 2 * width, 3, groups=2 * width)
    return net.concat(layer(net, deep, 5), layer(net, last, 6))


@few
@given(
    st.integers(0, 4), st.integers(1, 4), st.booleans(), st.sampled_from([1, 2, 4]),
    st.integers(0, 2**16),
)  # fmt: skip
def test_not_one_value_changes(blocks, half, sliced, groups, seed):
    net = Net(seed, (1, 3, SIDE, SIDE))
    last = stage(net, blocks=blocks, width=2 * half, groups=groups, sliced=sliced)
    whole_numbers(net)
    model = net.model(net.conv(last, 3, 1))
    written, orders = without_shuffles(model, everything(model))
    onnx.checker.check_model(written)
    assert not {"Reshape", "Transpose", "Slice"} & set(kinds(written))
    assert all(sorted(order) == list(range(len(order))) for order in orders.values())
    image = net.random.integers(-3, 4, net.shape).astype(np.float32)
    for wanted, found in zip(run(model, image), run(written, image), strict=True):
        np.testing.assert_array_equal(found, wanted)


@few
@given(
    st.integers(0, 3), st.integers(1, 6), st.sampled_from([1, 2, 4]), st.integers(0, 2**16),
)  # fmt: skip
def test_not_one_bit_of_int8_changes(blocks, half, groups, seed):
    net = Net(seed, (1, 3, SIDE, SIDE))
    last = stage(net, blocks=blocks, width=2 * half, groups=groups)
    model = net.model(net.conv(last, 3, 1))
    image = net.image()
    quantization = record(model, image)
    found = lower(model, quantization)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "without_shuffles", lambda model, integers: (model, {}))
        wanted = lower(model, quantization)
    np.testing.assert_array_equal(run(found, image)[0], run(wanted, image)[0])
    assert layer_counts(found) == layer_counts(wanted) == (7 + 3 * blocks,) * 2
    assert kinds(found).count("Conv") + blocks + 1 == kinds(wanted).count("Conv")


def test_channels_stand_beside_those_of_the_same_readers():
    net = Net(1, (1, 3, SIDE, SIDE))
    model = net.model(stage(net, blocks=2, width=4))
    written, orders = without_shuffles(model, everything(model))
    parts = [node for node in written.graph.node if node.op_type == "Split"]
    weights = Graph(written).weights
    sizes = [onnx.numpy_helper.to_array(weights[part.input[1]]).tolist() for part in parts]
    # Half of what a block writes goes into the next, half of the rest into the one behind it.
    assert sizes == [[1, 1, 2], [1, 1, 2], [2, 2]]
    joined = [len(n.input) for n in written.graph.node if n.op_type == "Concat"]
    assert joined == [2, 3, 4, 2]
    # Blocks write their channels in this order anyway; what reads all of them has them otherwise.
    blocks = [order.tolist() for order in orders.values() if len(order) == 4]
    assert blocks == [[0, 1, 2, 3]] * 4
    assert [order.tolist() for order in orders.values() if len(order) == 8] == [
        [0, 4, 2, 6, 1, 3, 5, 7]
    ]


def test_shuffle_of_one_layer_for_one_layer_leaves_nothing_behind():
    net = Net(2, (1, 3, SIDE, SIDE))
    last = net.conv(net.shuffle(layer(net, "x", 8), SIDE), 3, 1)
    whole_numbers(net)
    model = net.model(last)
    written, _ = without_shuffles(model, everything(model))
    assert kinds(written) == ["Conv", "Relu", "Conv"]
    image = np.rint(net.image())
    np.testing.assert_array_equal(run(written, image)[0], run(model, image)[0])


def plain(net):
    return net.shuffle(layer(net, "x", 8), SIDE)


def grouped_reader(net):
    return [net.conv(plain(net), 8, 1, groups=2)]


def grouped_writer(net):
    source = net.node("Relu", net.conv(layer(net, "x", 8), 8, 1, groups=2))
    return [net.conv(net.shuffle(source, SIDE), 4, 1)]


def sum_of_it(net):
    source = layer(net, "x", 8)
    return [net.conv(net.node("Add", net.shuffle(source, SIDE), source), 4, 1)]


def handed_out(net):
    last = plain(net)
    return [net.conv(last, 4, 1), last]


def source_handed_out(net):
    source = layer(net, "x", 8)
    return [net.conv(net.shuffle(source, SIDE), 4, 1), source]


def source_read_elsewhere(net):
    source = layer(net, "x", 8)
    return [net.conv(net.shuffle(source, SIDE), 4, 1), net.conv(source, 4, 1)]


def image_itself(net):
    return [net.conv(net.shuffle(net.node("Relu", "x"), SIDE, 3), 4, 1)]


def twice(net):
    last = plain(net)
    return [net.conv(net.concat(last, last), 4, 1)]


def shared_weight(net):
    first = net.conv(plain(net), 4, 1)
    weight = net.nodes[-1].input[1]
    second = net.node("Conv", layer(net, "x", 8), weight, channels=4, kernel_shape=[1, 1])
    return [first, second]


def average_of_all(net):
    return [net.node("GlobalAveragePool", plain(net))]


@pytest.mark.parametrize(
    "write",
    [
        grouped_reader,
        grouped_writer,
        sum_of_it,
        handed_out,
        source_handed_out,
        source_read_elsewhere,
        image_itself,
        twice,
        shared_weight,
        average_of_all,
    ],
)
def test_shuffle_stays_where_its_order_is_needed(write):
    net = Net(3, (1, 3, SIDE, SIDE))
    model = net.model(*write(net))
    assert not shuffle_regions(Graph(model))
    assert without_shuffles(model, everything(model)) == (model, {})


def test_shuffle_stays_where_part_of_it_runs_in_float():
    net = Net(4, (1, 3, SIDE, SIDE))
    model = net.model(stage(net, blocks=1, width=4))
    (region,) = shuffle_regions(Graph(model))
    assert len(region.nodes) == 9
    for name in region.nodes:
        assert without_shuffles(model, everything(model) - {name}) == (model, {})


def test_concatenation_without_a_shuffle_stays():
    net = Net(5, (1, 3, SIDE, SIDE))
    joined = net.concat(layer(net, "x", 4), layer(net, "x", 4))
    model = net.model(net.conv(joined, 4, 1))
    assert without_shuffles(model, everything(model)) == (model, {})
    ranges = record(model, net.image()).ranges
    assert unify_ranges(Graph(model), ranges) == ranges


def test_all_that_is_shuffled_together_has_the_widest_range():
    net = Net(6, (1, 3, SIDE, SIDE))
    model = net.model(stage(net, blocks=1, width=4))
    ranges = record(model, net.image()).ranges
    graph = Graph(model)
    (region,) = shuffle_regions(graph)
    found = unify_ranges(graph, ranges)
    assert len(region.sources) == 3
    assert {found[name] for name in region.tensors} == {
        max((ranges[name] for name in region.sources), key=lambda ends: ends.high)
    }
    outside = ranges.keys() - region.tensors
    assert {n: found[n] for n in outside} == {n: ranges[n] for n in outside}
    assert found.keys() == ranges.keys()


def test_record_in_another_order():
    net = Net(7)
    quantization = record(net.model(net.conv("x", 3)), net.image())
    amax = quantization.weight_amax["w0"]
    moved = quantization.reordered({"w0": [2, 0, 1]})
    assert moved.weight_amax["w0"] == (amax[2], amax[0], amax[1])
    assert quantization.reordered({}) == quantization


def test_names_of_slices_by_a_negative_axis_are_understood():
    net = Net(8, (1, 3, SIDE, SIDE))
    model = net.model(stage(net, blocks=1, width=4, sliced=True))
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_axes"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([-3]), tensor.name))
    for node in model.graph.node:
        if node.op_type == "Concat":
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("axis", -3))
    assert len(shuffle_regions(Graph(model))) == 1
