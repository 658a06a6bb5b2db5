"""A graph in operators with fast integer kernels computes what it computed before."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from fqbench.backends.onnxruntime.rewrite import (
    is_surrogate_conv,
    rewrite,
    shuffles,
    weight_of_blocks,
)
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from tests.support.onnx_graphs import Net
from tests.support.qdq_reference import OPERATORS, evaluate

quick = settings(deadline=None, max_examples=60)
few = settings(deadline=None, max_examples=25)


def everything(model):
    return {node.name for node in model.graph.node}


def run(model, image):
    options = session_options(threads=1, exact=True)
    session = open_session(model.SerializeToString(), options)
    return session.run(None, {"x": image})


def kinds(model):
    return [node.op_type for node in model.graph.node]


def same(model, image):
    """The rewritten graph, after ONNX Runtime has computed the same from both."""
    written = rewrite(model, everything(model))
    onnx.checker.check_model(written)
    for wanted, found in zip(run(model, image), run(written, image), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    return written


def untouched(model):
    return rewrite(model, everything(model)) == model


sizes = st.integers(2, 9).map(lambda half: 2 * half)
pads = st.lists(st.integers(0, 3), min_size=4, max_size=4)


@quick
@given(
    st.tuples(sizes, sizes),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    pads,
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_first_convolution_on_blocks(size, kernel, pads, channels, biased, seed):
    net = Net(seed, (1, channels, *size))
    # A kernel that does not fit the padded image is no valid model.
    kernel = [
        min(k, n + before + after)
        for k, n, before, after in zip(kernel, size, pads[:2], pads[2:], strict=True)
    ]
    weight = net.random.normal(0, 1, (5, channels, *kernel)).astype(np.float32)
    inputs = [net.constant("w", weight)]
    if biased:
        inputs.append(net.constant("b", net.random.normal(0, 1, 5).astype(np.float32)))
    last = net.node(
        "Conv", "x", *inputs, channels=5, kernel_shape=kernel, strides=[2, 2], pads=pads
    )
    model = net.model(last)
    written = same(model, net.image())
    assert kinds(written) in (["SpaceToDepth", "Conv"], ["Conv"])
    if kinds(written) == ["Conv"]:
        # Blocks reach further than the image and its padding do: only kernels of one pixel.
        assert min(kernel) <= 2


@pytest.mark.parametrize(
    ("kernel", "pad", "blocks", "begin", "end"),
    [
        (3, 1, 2, 1, 0),
        (6, 2, 3, 1, 1),
        (7, 3, 4, 2, 1),
        (2, 0, 1, 0, 0),
        (3, 0, 2, 0, 0),
        (5, 2, 3, 1, 1),
    ],
)
def test_kernel_and_padding_on_blocks(kernel, pad, blocks, begin, end):
    net = Net(shape=(1, 3, 12, 12))
    model = net.model(net.conv("x", 4, kernel, strides=[2, 2], pads=[pad] * 4))
    mover, convolution = same(model, net.image()).graph.node
    found = {a.name: helper.get_attribute_value(a) for a in convolution.attribute}
    assert found["kernel_shape"] == [blocks, blocks]
    assert found["pads"] == [begin, begin, end, end]
    assert found.get("strides", [1, 1]) == [1, 1]
    assert (mover.op_type, mover.attribute[0].i) == ("SpaceToDepth", 2)


def test_weight_on_blocks_in_the_order_of_space_to_depth():
    weight = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    image = np.array([[[[1.0, 10.0], [100.0, 1000.0]], [[0.0, 0.0], [0.0, 1.0]]]], np.float32)
    blocks = OPERATORS["SpaceToDepth"]([image], {"blocksize": 2})
    assert blocks.ravel().tolist() == [1, 0, 10, 0, 100, 0, 1000, 1]
    found = weight_of_blocks(weight, [0, 0])
    assert found.ravel().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert (found * blocks).sum() == (weight * image).sum() == 3217.0


def test_weight_on_blocks_of_a_padded_image_begins_with_zeros():
    found = weight_of_blocks(np.ones((1, 1, 1, 1), np.float32), [1, 1])
    assert found.shape == (1, 4, 1, 1)
    assert found.ravel().tolist() == [0, 0, 0, 1]


def stem(net, **changes):
    attributes = {"strides": [2, 2], **changes}
    size = attributes.pop("size", 3)
    return net.conv("x", 4, size, **attributes)


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((1, 5, 16, 16), {}),
        ((1, 3, 15, 16), {}),
        ((1, 3, 16, 15), {}),
        ((1, 3, 16, 16), {"strides": [1, 1]}),
        ((1, 3, 16, 16), {"strides": [2, 1]}),
        ((1, 4, 16, 16), {"groups": 4}),
        ((1, 3, 16, 16), {"dilations": [2, 2]}),
        ((1, 3, 16, 16), {"auto_pad": "SAME_UPPER", "pads": None}),
    ],
)
def test_other_first_convolutions_stay(shape, changes):
    net = Net(shape=shape)
    last = stem(net, **changes)
    if changes.get("pads", 0) is None:
        kept = [a for a in net.nodes[-1].attribute if a.name != "pads"]
        del net.nodes[-1].attribute[:]
        net.nodes[-1].attribute.extend(kept)
    assert untouched(net.model(last))


def test_convolution_of_an_image_of_free_size_stays():
    net = Net()
    assert untouched(net.model(stem(net), free_batch=True))


def test_later_convolution_stays():
    net = Net()
    assert untouched(net.model(net.conv(net.node("Relu", "x"), 4, strides=[2, 2])))


def test_convolutions_that_share_a_weight_stay():
    net = Net()
    first = stem(net)
    second = net.node("Conv", "x", "w0", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    assert untouched(net.model(first, second))


def test_only_what_runs_in_integers_is_rewritten():
    net = Net(shape=(1, 3, 16, 16))
    pooled = net.average(net.node("Relu", stem(net)))
    model = net.model(net.shuffle(pooled, 4))
    assert rewrite(model, ()) == model
    assert kinds(rewrite(model, {"n_averagepool2"})) == [
        "Conv", "Relu", "Conv", "Reshape", "Transpose", "Reshape",
    ]  # fmt: skip
    assert kinds(rewrite(model, everything(model))) == [
        "SpaceToDepth", "Conv", "Relu", "Conv", "Conv",
    ]  # fmt: skip


def test_names_and_the_model_given_stay():
    net = Net(shape=(1, 3, 16, 16))
    pooled = net.average(net.node("Relu", stem(net)))
    model = net.model(net.shuffle(pooled, 4))
    before = model.SerializeToString(deterministic=True)
    written = rewrite(model, everything(model))
    assert model.SerializeToString(deterministic=True) == before
    assert written.graph.output == model.graph.output
    by_result = {node.output[0]: node.name for node in model.graph.node}
    for node in written.graph.node:
        assert by_result.get(node.output[0], node.name) == node.name


@quick
@given(
    st.integers(1, 6),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_average_pooling_as_a_convolution(channels, kernel, strides, steps):
    size = [k + s * n for k, s, n in zip(kernel, strides, steps, strict=True)]
    net = Net(3, (1, channels, *size))
    last = net.node("AveragePool", "x", kernel_shape=list(kernel), strides=list(strides))
    written = same(net.model(last), net.image())
    (node,) = written.graph.node
    assert is_surrogate_conv(node)
    assert not shuffles(node)


def test_average_pooling_whose_stride_is_left_out():
    net = Net()
    model = net.model(net.node("AveragePool", "x", kernel_shape=[3, 3]))
    (node,) = same(model, net.image()).graph.node
    assert is_surrogate_conv(node)


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 1, 1, 1]},
        {"pads": [0, 0, 1, 1], "count_include_pad": 1},
        {"auto_pad": "SAME_UPPER"},
        {"size": 3},
        {"size": 3, "ceil_mode": 1},
    ],
)
def test_other_average_pooling_stays(attributes):
    net = Net(shape=(1, 3, 16, 16))
    assert untouched(net.model(net.average("x", **attributes)))


def test_global_average_and_greatest_stay():
    net = Net()
    pooled = net.node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2])
    assert untouched(net.model(net.node("GlobalAveragePool", pooled)))


@few
@given(
    st.integers(1, 4), st.integers(1, 4), st.tuples(st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
def test_shuffle_as_a_convolution(groups, each, size):
    net = Net(5, (1, groups * each, *size))
    whole = list(net.shape)
    last = shuffle(net, [1, groups, each, *size], [0, 2, 1, 3, 4], whole)
    written = same(net.model(last), net.image())
    (node,) = written.graph.node
    assert is_surrogate_conv(node)
    assert shuffles(node)
    weight = Graph(written).weight(node)
    assert sorted(weight.sum(axis=0).ravel()) == sorted(weight.sum(axis=1).ravel())
    assert weight.sum() == groups * each


def shuffle(net, split, order, whole, source="x"):
    parted = net.node("Reshape", source, net.constant("split", np.array(split)))
    turned = net.node("Transpose", parted, perm=order)
    return net.node("Reshape", turned, net.constant("whole", np.array(whole)))


def test_order_of_shuffled_channels():
    net = Net(shape=(1, 6, 1, 1))
    model = net.model(shuffle(net, [1, 2, 3, 1, 1], [0, 2, 1, 3, 4], [1, 6, 1, 1]))
    image = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    (found,) = run(rewrite(model, everything(model)), image)
    assert found.ravel().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("split", "order", "whole"),
    [
        ([1, 2, 4, 6, 6], [0, 1, 2, 4, 3], [1, 8, 6, 6]),
        ([1, 2, 4, 6, 6], [0, 2, 1, 3, 4], [1, 4, 12, 6]),
        ([1, 2, 4, 6, 6], [0, 2, 1, 3, 4], [1, 288]),
        ([1, 2, 2, 12, 6], [0, 2, 1, 3, 4], [1, 8, 6, 6]),
        ([2, 2, 2, 6, 6], [0, 2, 1, 3, 4], [1, 8, 6, 6]),
        ([1, 8, 6, 6], [0, 1, 3, 2], [1, 8, 6, 6]),
    ],
)
def test_other_moves_stay(split, order, whole):
    net = Net(shape=(1, 8, 6, 6))
    assert untouched(net.model(shuffle(net, split, order, whole)))


def test_shuffle_that_is_read_half_way_stays():
    net = Net(shape=(1, 8, 6, 6))
    last = shuffle(net, [1, 2, 4, 6, 6], [0, 2, 1, 3, 4], [1, 8, 6, 6])
    assert untouched(net.model(last, net.node("Relu", "transpose1")))


def test_what_led_to_a_shuffle_stays_where_the_model_hands_it_out():
    net = Net(shape=(1, 8, 6, 6))
    last = shuffle(net, [1, 2, 4, 6, 6], [0, 2, 1, 3, 4], [1, 8, 6, 6])
    written = same(net.model(last, "transpose1"), net.image())
    assert kinds(written) == ["Reshape", "Transpose", "Conv"]


def test_move_that_nothing_reads_but_an_output_stays():
    net = Net(shape=(1, 8, 6, 6))
    turned = net.node("Transpose", "x", perm=[0, 1, 3, 2])
    assert untouched(net.model(net.node("Relu", turned), turned))


def test_all_of_it_in_one_network():
    net = Net(8, (1, 3, 16, 16))
    first = net.node("Relu", stem(net))
    second = net.node("Relu", net.conv(net.shuffle(net.average(first), 4), 6))
    model, image = net.model(net.conv(net.shuffle(second, 4, 3), 4, 1)), net.image()
    written = same(model, image)
    found = evaluate(written, {"x": image})[model.graph.output[0].name]
    np.testing.assert_allclose(found, run(model, image)[0], atol=1e-4)
    assert sum(map(is_surrogate_conv, written.graph.node)) == 3
    assert [node.name for node in Graph(written).layers() if not is_surrogate_conv(node)] == [
        node.name for node in Graph(model).layers()
    ]
