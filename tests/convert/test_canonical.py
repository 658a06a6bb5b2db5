"""The canonical graph: another form of the same function."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.canonical import OPSET, canonicalize
from fqbench.errors import StepError
from tests.support.onnx_graphs import Net

SHAPE = (1, 3, 16, 16)


def run(model, image):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})


def kinds(model):
    return [node.op_type for node in model.graph.node]


def opset(model):
    return next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def dims(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def renamed(model, names):
    """``model`` with tensors and nodes called otherwise."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.value_info[:]
    for item in (*graph.input, *graph.output, *graph.initializer, *graph.node):
        item.name = names.get(item.name, item.name)
    for node in graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    return result


def normalized():
    """Convolution and batch norm, with a batch that is left free."""
    net = Net(3)
    conv = net.conv("x", 4)
    statistics = [
        net.constant(name, np.abs(net.random.normal(1, 0.3, 4)).astype(np.float32))
        for name in ("gamma", "beta", "mean", "variance")
    ]
    last = net.node("Relu", net.node("BatchNormalization", conv, *statistics, epsilon=1e-5))
    return net, net.model(last, free_batch=True)


def test_free_batch_becomes_one_and_every_shape_is_known():
    _, model = normalized()
    assert dims(model.graph.input[0]) == [0, 3, 16, 16]
    found = canonicalize(model, SHAPE)
    assert dims(found.graph.input[0]) == [1, 3, 16, 16]
    assert dims(found.graph.output[0]) == [1, 4, 16, 16]
    assert all(0 not in dims(value) for value in found.graph.value_info)


def test_free_height_and_width_are_those_of_the_image():
    net = Net(0)
    model = net.model(net.conv("x", 4))
    for index, name in enumerate(("batch", "channels", "height", "width")):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_param = name
    found = canonicalize(model, (1, 3, 32, 24))
    assert dims(found.graph.input[0]) == [1, 3, 32, 24]


def test_free_dimensions_of_a_scale_factor_are_one_by_two():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["scale_factor"], ["factor"])],
        "net",
        [helper.make_tensor_value_info("scale_factor", TensorProto.FLOAT, ["N", "two"])],
        [helper.make_tensor_value_info("factor", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    assert dims(canonicalize(model, SHAPE).graph.input[0]) == [1, 2]


def test_batch_norm_is_folded_into_the_convolution():
    net, model = normalized()
    found = canonicalize(model, SHAPE)
    assert kinds(found) == ["Conv", "Relu"]
    image = net.image()
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)


def test_what_is_constant_is_computed_beforehand():
    net = Net(1)
    left = net.constant("left", np.full((1, 3, 1, 1), 2.0, np.float32))
    right = net.constant("right", np.full((1, 3, 1, 1), 3.0, np.float32))
    model = net.model(net.node("Mul", "x", net.node("Add", left, right, channels=3)))
    found = canonicalize(model, SHAPE)
    assert kinds(found) == ["Mul"]
    image = net.image()
    np.testing.assert_allclose(run(found, image)[0], 5.0 * image, rtol=1e-6)


@pytest.mark.parametrize("given", [11, 12, 13, 17])
def test_opset_is_raised_where_it_is_too_low_and_kept_otherwise(given):
    net = Net(2)
    squeeze = net.node("GlobalAveragePool", net.silu(net.conv("x", 4)))
    model = net.model(net.node("Flatten", squeeze), opset=given)
    found = canonicalize(model, SHAPE)
    assert opset(found) == max(given, OPSET)
    image = net.image()
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)


ODD_NAMES = [
    'x/../";import os',
    "a\nimport os\nos.abort()",
    "'+__import__('os').system('id')+'",
    "0",
    "images:0",
    "größe",
    "/model.0/conv/Conv_output_0",
]


@pytest.mark.parametrize("odd", ODD_NAMES)
def test_names_become_identifiers(odd):
    net = Net(4)
    conv = net.conv("x", 4)
    model = net.model(net.clip(conv), conv)
    # Of every kind of name: inputs, outputs, weights, nodes.
    names = [v.name for v in (*model.graph.input, *model.graph.output, *model.graph.initializer)]
    names += [node.name for node in model.graph.node]
    found = canonicalize(renamed(model, {name: odd + name for name in names}), SHAPE)
    graph = found.graph
    tensors = {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    used = {n for node in graph.node for n in (*node.input, *node.output)}
    assert tensors <= used
    assert len(tensors) == 7
    for name in tensors | used | {node.name for node in graph.node}:
        assert name.isidentifier()
        assert name.isascii()
    image = net.image()
    for value, expected in zip(run(found, image), run(model, image), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)


def test_names_that_are_identifiers_stay():
    net = Net(4)
    model = net.model(net.clip(net.conv("x", 4)))
    found = canonicalize(model, SHAPE)
    assert [n.name for n in found.graph.node] == ["n_conv0", "n_clip1"]
    assert found.graph.input[0].name == "x"
    assert found.graph.output[0].name == "clip1"


def test_names_that_would_become_the_same_are_kept_apart():
    net = Net(6)
    model = net.model(net.conv("x", 4), net.conv("x", 4), net.conv("x", 4), net.conv("x", 4))
    names = {"conv0": "a.b", "conv1": "a/b", "conv2": "a_b", "conv3": "a_b_2"}
    found = canonicalize(renamed(model, names), SHAPE)
    plain = [value.name for value in found.graph.output]
    assert len(set(plain)) == 4
    assert plain[0] == "a_b"
    image = net.image()
    for value, expected in zip(run(found, image), run(model, image), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)


def pool(**attributes):
    net = Net(8)
    pads = {"kernel_shape": [3, 3], "strides": [2, 2]}
    return net, net.model(net.node("MaxPool", "x", **pads, **attributes))


def test_attributes_of_a_pool_at_their_defaults_are_dropped():
    net, model = pool(dilations=[1, 1], ceil_mode=0, storage_order=0)
    found = canonicalize(model, SHAPE)
    assert {a.name for a in found.graph.node[0].attribute}.isdisjoint(
        {"dilations", "ceil_mode", "storage_order"}
    )
    image = net.image()
    np.testing.assert_array_equal(run(found, image)[0], run(model, image)[0])


@pytest.mark.parametrize("attribute", [{"dilations": [2, 2]}, {"ceil_mode": 1}])
def test_attributes_of_a_pool_that_mean_something_stay(attribute):
    net, model = pool(**attribute)
    found = canonicalize(model, SHAPE)
    kept = {a.name: helper.get_attribute_value(a) for a in found.graph.node[0].attribute}
    assert attribute.items() <= kept.items()
    image = net.image()
    np.testing.assert_array_equal(run(found, image)[0], run(model, image)[0])


def test_the_model_given_stays_as_it_is():
    _, model = normalized()
    before = model.SerializeToString(deterministic=True)
    canonicalize(model, SHAPE)
    assert model.SerializeToString(deterministic=True) == before


def test_canonical_form_of_a_canonical_graph_is_itself():
    _, model = normalized()
    once = canonicalize(model, SHAPE)
    twice = canonicalize(once, SHAPE)
    assert kinds(once) == kinds(twice)
    weights = [
        {t.name: numpy_helper.to_array(t).tolist() for t in m.graph.initializer}
        for m in (once, twice)
    ]
    assert weights[0] == weights[1]


def test_model_that_cannot_be_loaded_is_told_in_one_sentence():
    net = Net(9)
    model = net.model(net.node("Relu", "x"))
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(StepError, match="ONNX Runtime cannot load the model") as caught:
        canonicalize(model, SHAPE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "counted"), [([-1], [3]), ([-3, 2], [1, 2]), ([1, -1], [1, 3]), ([2], [2])]
)
def test_axes_of_slices_are_counted_from_the_first(axes, counted):
    net = Net(4, SHAPE)
    ends = [
        net.constant(name, np.array(value))
        for name, value in (("from", [1] * len(axes)), ("to", [3] * len(axes)), ("axes", axes))
    ]
    one, other = (net.node("Slice", net.node("Relu", "x"), *ends) for _ in range(2))
    model, image = net.model(net.node("Add", one, other)), net.image()
    found = canonicalize(model, SHAPE)
    constants = {t.name: numpy_helper.to_array(t).tolist() for t in found.graph.initializer}
    slices = [node for node in found.graph.node if node.op_type == "Slice"]
    assert slices
    assert all(constants[node.input[3]] == counted for node in slices)
    np.testing.assert_array_equal(run(found, image)[0], run(model, image)[0])


# Operators as they come.


def operator(kind, inputs, weights, opset, **attributes):
    """A convolution, and an operator that reads its result."""
    net = Net(7)
    source = net.conv("x", 4)
    names = [source, *(net.constant(name, weights[name]) for name in inputs)]
    return net, net.model(net.node(kind, *names, **attributes), opset=opset)


@pytest.mark.parametrize(
    ("kind", "weights", "opset", "attributes"),
    [
        ("PRelu", {"slope": np.array([0.2], np.float32)}, 17, {}),
        ("PRelu", {"slope": np.array(0.2, np.float32)}, 17, {}),
        ("LeakyRelu", {}, 17, {}),
        ("ReduceMax", {"axes": np.array([2, 3])}, 18, {"keepdims": 0}),
        ("ReduceMax", {"axes": np.array([-1])}, 20, {}),
        ("ReduceMax", {}, 17, {"axes": [1]}),
    ],
    ids=["one slope", "no axis", "no alpha", "axes", "last axis", "attribute"],
)
def test_an_operator_with_its_parameters_left_out_or_as_inputs(kind, weights, opset, attributes):
    net, model = operator(kind, list(weights), weights, opset, **attributes)
    found = canonicalize(model, SHAPE)
    image = net.image()
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)


def with_split(channels: int, opset: int, sizes: list[int] | None, **attributes) -> onnx.ModelProto:
    """A convolution whose channels are put in another order by a Split in three and a Concat."""
    net = Net(7)
    source = net.conv("x", channels)
    given = [] if sizes is None else [net.constant("sizes", np.array(sizes))]
    parts = ["p0", "p1", "p2"]
    split = helper.make_node("Split", [source, *given], parts, "n_split", axis=1, **attributes)
    net.nodes.append(split)
    net.nodes.append(helper.make_node("Concat", parts[::-1], ["y"], "n_concat", axis=1))
    return net.model("y", opset=opset)


@pytest.mark.parametrize(
    ("opset", "channels", "sizes"),
    [(13, 4, [2, 1, 1]), (13, 3, None), (18, 4, [1, 1, 2]), (18, 4, [2, 2, 0])],
    ids=["sizes", "even", "sizes later", "an empty one"],
)
def test_a_split_with_its_parts_as_inputs_or_even(opset, channels, sizes):
    model = with_split(channels, opset, sizes)
    found = canonicalize(model, SHAPE)
    image = Net(7).image()
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "sizes", "kinds"),
    [
        (6, [2, 2, 2], ["Conv", "Split", "Concat"]),
        (5, [2, 2, 1], ["Conv", "Slice", "Slice", "Slice", "Concat"]),
        (4, [2, 2, 0], ["Conv", "Split", "Concat"]),
    ],
)
def test_a_split_by_number_is_the_one_by_sizes(channels, sizes, kinds):
    # By number, not every release of ONNX Runtime runs one with an empty part.
    found = canonicalize(with_split(channels, 18, None, num_outputs=3), SHAPE)
    assert [node.op_type for node in found.graph.node] == kinds
    image = Net(7).image()
    wanted = run(with_split(channels, 18, sizes), image)[0]
    np.testing.assert_allclose(run(found, image)[0], wanted, atol=1e-5)


def test_a_gemm_without_a_bias():
    net = Net(7, (1, 3, 4, 4))
    pooled = net.node("Flatten", net.node("GlobalAveragePool", net.conv("x", 4)))
    weight = net.constant("weight", net.random.normal(0, 1, (5, 4)).astype(np.float32))
    model = net.model(net.node("Gemm", pooled, weight, transB=1))
    found = canonicalize(model, (1, 3, 4, 4))
    image = net.image()
    np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)
    assert all("" not in node.input for node in found.graph.node)


def test_sizes_that_stay_open_are_computed_where_they_are_needed():
    """A reshape by the size of its input, which is folded where that is fixed."""
    net = Net(5)
    source = net.conv("x", 4)
    shape = net.node("Shape", source, channels=1)
    last = net.node("Gather", shape, net.constant("three", np.array([3])), channels=1)
    parts = [net.constant("head", np.array([1, -1])), last]
    rows = net.node("Concat", *parts, axis=0, channels=1)
    model = net.model(net.node("Reshape", source, rows, channels=1))
    for place, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    found = canonicalize(model, (1, 3, 16, "width"))
    assert dims(found.graph.input[0]) == [1, 3, 16, 0]
    assert found.graph.input[0].type.tensor_type.shape.dim[3].dim_param == "width"
    for width in (16, 24):
        image = np.random.default_rng(width).normal(0, 1, (1, 3, 16, width)).astype(np.float32)
        np.testing.assert_allclose(run(found, image)[0], run(model, image)[0], atol=1e-5)
    assert kinds(canonicalize(model, SHAPE)) == ["Conv", "Reshape"]
