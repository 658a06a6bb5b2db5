"""INT8 for TensorRT: where pairs stand, in which scales, and what the graph computes with them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from fqbench.backends.onnxruntime.lower import layer_counts
from fqbench.backends.tensorrt.lower import lower, weight_codes
from fqbench.backends.tensorrt.plan import FEW_CHANNELS, ONE_ROW, unsuited
from fqbench.backends.variants import variants
from fqbench.graph.executor import InstrumentedModel, execute
from fqbench.graph.graph import Graph
from fqbench.quantize.affine import as_half
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import int8_codes
from fqbench.quantize.setting import Setting
from fqbench.tune.choose import TuningTarget, choose
from fqbench.tune.estimators import OutputErrorEstimator
from tests.support.onnx_graphs import Net, record
from tests.support.qdq_reference import evaluate

SHAPE = (1, 16, 8, 8)
SUFFIX = "__rounded"


def constants(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def lowered(net, *outputs, **changes):
    model = net.model(*outputs)
    return lower(model, record(model, net.image(), **changes))


def scales(model):
    """The scales of each tensor that is rounded, by its name."""
    known, found = constants(model), {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            found.setdefault(node.input[0], set()).add(float(known[node.input[1]]))
    return found


def reads(model, node):
    """What ``node`` reads: tensors by name, with a star where it reads them rounded."""
    (found,) = (n for n in model.graph.node if n.name == f"n_{node}")
    known = {*constants(model), f"{found.name}__weight"}
    return [name.replace(SUFFIX, "*") for name in found.input if name not in known]


# Arithmetic


@pytest.mark.parametrize(
    ("scale", "held"),
    [
        (0.1, 0.0999755859375),
        (2.0**-14, 2.0**-14),
        (2.0**-16, 2.0**-16),
        (1e-6, np.float32(1e-6)),
        (1e-30, np.float32(1e-30)),
        (70000.0, 70000.0),
        (0.0, 0.0),
    ],
)
def test_scale_is_one_of_float16_where_that_holds_it(scale, held):
    assert as_half(scale)[()] == held


def test_tensors_have_signed_codes_even_where_nothing_is_negative():
    codes = int8_codes(Range(0.0, 2.0, 2.0))
    assert codes.scale == np.float32(0.01574707)
    assert codes.zero_point.dtype == np.int8
    assert codes.zero_point == 0


def test_weight_has_a_scale_for_each_channel():
    weight = np.array([[1.0, -0.5], [0.0005, 0.0], [1e-9, -1e-9], [0.0, 0.0]], np.float32)
    codes, found = weight_codes(weight, (1.0, 0.0005, 1e-9, 0.0))
    assert codes.tolist() == [[127, -64], [127, 0], [0, 0], [0, 0]]
    assert found[0] == 0.00787353515625
    assert found[1] == 66 * 2.0**-24
    # Nothing beside the others: the next power of two above 2 ** -12 of the largest scale.
    assert found[2] == found[3] == 2.0**-18


def test_weight_of_zeros_has_a_scale():
    codes, found = weight_codes(np.zeros((2, 3), np.float32), (0.0, 0.0))
    assert not codes.any()
    assert (found > 0.0).all()


# Which layers


@pytest.mark.parametrize(
    ("inputs", "outputs", "size", "groups", "first", "why"),
    [
        (16, 16, 3, 1, False, None),
        (64, 17, 1, 1, False, None),
        (3, 32, 3, 1, True, None),
        (3, 8, 3, 1, True, None),
        (3, 8, 3, 1, False, FEW_CHANNELS),
        (3, 18, 3, 1, True, FEW_CHANNELS),
        (8, 16, 3, 1, False, None),
        (16, 8, 1, 1, False, None),
        (8, 8, 3, 1, False, FEW_CHANNELS),
        (32, 6, 1, 1, False, None),
        (36, 6, 1, 1, False, FEW_CHANNELS),
        (24, 24, 3, 24, False, None),
        (24, 24, 1, 24, False, FEW_CHANNELS),
        (20, 20, 3, 20, False, FEW_CHANNELS),
        (64, 64, 3, 4, False, None),
    ],
)
def test_convolutions_with_too_few_channels_stay_in_float(
    inputs, outputs, size, groups, first, why
):
    net = Net(0, (1, inputs, 8, 8))
    source = "x" if first else net.node("Sigmoid", "x")
    last = net.conv(source, outputs, size, groups=groups)
    assert unsuited(Graph(net.model(last))).get(f"n_{last}") == why


def test_convolution_of_an_uneven_kernel_wants_sixteen_channels():
    net = Net(0, (1, 8, 8, 8))
    last = net.conv("x", 16)
    net.weights["w0"] = net.weights["w0"][:, :, :1]
    net.nodes[0].attribute[1].ints[:] = [1, 3]
    net.nodes[0].attribute[2].ints[:] = [0, 1, 0, 1]
    model = net.model(last)
    assert {a.name: list(a.ints) for a in net.nodes[0].attribute}["kernel_shape"] == [1, 3]
    assert unsuited(Graph(model)) == {"n_conv0": FEW_CHANNELS}


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs", "why"),
    [(1, 64, 64, ONE_ROW), (4, 64, 64, None), (4, 15, 64, FEW_CHANNELS), (4, 64, 8, FEW_CHANNELS)],
)
def test_fully_connected_layers_of_one_row_stay_in_float(rows, inputs, outputs, why):
    net = Net(0, (rows, inputs))
    assert unsuited(Graph(net.model(net.gemm("x", outputs)))).get("n_gemm0") == why


def test_convolution_of_one_place_is_one_row():
    net = Net(0, (1, 32, 1, 1))
    assert unsuited(Graph(net.model(net.conv("x", 32, 1)))) == {"n_conv0": ONE_ROW}


def test_layers_of_the_record_stay_in_float():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    last = net.conv(first, 16)
    found = lowered(net, last, float_layers=[f"n_{last}"])
    assert reads(found, last) == [first]
    assert layer_counts(found) == (2, 1)
    assert set(scales(found)) == {"x"}


# Where pairs stand


def chain(seed):
    """Convolutions of all kinds, a SiLU, a sum, a concatenation, a head; two outputs."""
    net = Net(seed, (1, 16, 16, 16))
    stem = net.node("Relu", net.conv("x", 16))
    down = net.clip(net.conv(stem, 16, strides=[2, 2]))
    deep = net.conv(down, 16, groups=16, pads=[0, 1, 2, 1])
    silu = net.silu(net.conv(deep, 16, 1))
    joined = net.concat(net.node("Add", silu, down), silu)
    pooled = net.node("MaxPool", joined, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    last = net.node("Relu", net.conv(net.resize(pooled), 16, 1))
    flat = net.node("Flatten", net.node("GlobalAveragePool", last))
    return net, net.model(last, net.gemm(flat, 20))


def test_layers_read_codes_and_int8_weights_of_each_channel():
    net, model = chain(0)
    found = lower(model, record(model, net.image()))
    producer, known = Graph(found).producer, constants(found)
    layers = [node for node in found.graph.node if node.op_type == "Conv"]
    assert layer_counts(found) == (6, 5)
    for layer in layers:
        read, weight = producer[layer.input[0]], producer[layer.input[1]]
        assert read.op_type == weight.op_type == "DequantizeLinear"
        assert producer[read.input[0]].op_type == "QuantizeLinear"
        codes = known[weight.input[0]]
        assert codes.dtype == np.int8
        assert known[weight.input[1]].shape == (len(codes),)
        assert onnx.helper.get_attribute_value(weight.attribute[0]) == 0
        assert known[layer.input[2]].dtype == np.float32


def test_nothing_is_what_tensorrt_refuses():
    net, model = chain(1)
    found = lower(model, record(model, net.image()))
    known = constants(found)
    pairs = [n for n in found.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    zero_points = [known[node.input[2]] for node in pairs]
    assert {zero.dtype for zero in zero_points} == {np.dtype(np.int8)}
    assert not any(zero.any() for zero in zero_points)
    assert {value.dtype for value in known.values()} <= {np.dtype(t) for t in "fbl"}
    assert all((known[node.input[1]] > 0.0).all() for node in pairs)


def test_float_weights_of_quantized_layers_are_gone():
    net, model = chain(0)
    found = constants(lower(model, record(model, net.image())))
    assert {name for name in found if name.startswith("w")} == {"w16"}


@pytest.mark.parametrize("kind", ["Relu", "silu", "clip"])
def test_no_pair_parts_a_convolution_from_its_activation(kind):
    net = Net(0, SHAPE)
    raw = net.conv("x", 16)
    result = {"silu": net.silu, "clip": net.clip}.get(kind, lambda n: net.node(kind, n))(raw)
    last = net.conv(result, 16)
    found = lowered(net, last)
    assert set(scales(found)) == {"x", result}
    assert reads(found, last) == [f"{result}*"]


def test_the_other_side_of_a_residual_sum_is_read_rounded():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    second = net.conv(net.node("Relu", net.conv(first, 16)), 16)
    total = net.node("Add", second, first)
    last = net.conv(net.node("Relu", total), 16)
    found = lowered(net, last)
    assert reads(found, total) == [second, f"{first}*"]
    assert second not in scales(found)
    assert total not in scales(found)


def test_short_branch_of_a_residual_block_is_rounded():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    short = net.conv(first, 16, 1)
    deep = net.conv(net.node("Relu", net.conv(first, 16)), 16)
    total = net.node("Add", short, deep)
    found = lowered(net, net.conv(net.node("Relu", total), 16))
    assert reads(found, total) == [f"{short}*", deep]
    assert deep not in scales(found)


def test_sum_of_what_float_layers_write_reads_floats():
    net = Net(0, SHAPE)
    left, right = net.conv("x", 16), net.conv("x", 16)
    total = net.node("Add", left, right)
    last = net.conv(total, 16)
    found = lowered(net, last, float_layers=[f"n_{left}", f"n_{right}"])
    assert reads(found, total) == [left, right]
    assert set(scales(found)) == {total}


def test_sum_with_a_constant_is_none_of_two_tensors():
    net = Net(0, SHAPE)
    shift = net.constant("shift", np.ones((1, 16, 8, 8), np.float32))
    total = net.node("Add", net.conv("x", 16), shift)
    found = lowered(net, net.conv(total, 16))
    assert reads(found, total) == ["conv0"]


def test_what_a_layer_wrote_in_integers_all_read_so():
    net = Net(0, SHAPE)
    first = net.silu(net.conv("x", 16))
    gate = net.node("Sigmoid", net.conv(first, 16))
    last = net.node("Mul", gate, first)
    found = lowered(net, last)
    assert reads(found, last) == [gate, f"{first}*"]


def test_what_floats_wrote_only_layers_read_rounded():
    net = Net(0, SHAPE)
    first = net.node("Tanh", "x")
    last = net.node("Mul", net.node("Sigmoid", net.conv(first, 16)), first)
    found = lowered(net, last)
    assert reads(found, last)[1] == first
    assert set(scales(found)) == {first}


def test_outputs_of_the_model_are_not_rounded():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    last = net.conv(first, 16)
    found = lowered(net, first, last)
    assert [value.name for value in found.graph.output] == [first, last]
    produced = {name: n.op_type for n in found.graph.node for name in n.output}
    assert (produced[first], produced[last]) == ("Relu", "Conv")


# One scale


def test_parts_of_a_concatenation_have_the_scale_of_the_whole():
    net = Net(0, SHAPE)
    first, second = net.silu(net.conv("x", 16)), net.silu(net.conv("x", 16))
    whole = net.concat(first, second)
    last = net.conv(whole, 16)
    found = lowered(net, last)
    assert scales(found)[first] == scales(found)[second] == scales(found)[whole]
    assert reads(found, whole) == [f"{first}*", f"{second}*"]
    assert reads(found, last) == [f"{whole}*"]


@pytest.mark.parametrize("kind", ["MaxPool", "Resize", "Slice", "Transpose", "Split"])
def test_what_only_moves_values_keeps_their_scale(kind):
    net = Net(0, SHAPE)
    first = net.silu(net.conv("x", 32))
    if kind == "MaxPool":
        behind = net.node(kind, first, kernel_shape=[2, 2], strides=[2, 2])
    elif kind == "Resize":
        behind = net.resize(first)
    elif kind == "Split":
        behind, _ = net.split(first)
    elif kind == "Transpose":
        behind = net.node(kind, first, perm=[0, 1, 3, 2])
    else:
        ends = {"starts": 0, "ends": 16, "axes": 1}
        names = [net.constant(f"{k}", np.array([v])) for k, v in ends.items()]
        behind = net.node(kind, first, *names, channels=16)
    found = lowered(net, net.conv(behind, 16))
    assert scales(found)[first] == scales(found)[behind]


def test_average_has_a_scale_of_its_own():
    net = Net(0, SHAPE)
    first = net.silu(net.conv("x", 16))
    behind = net.average(first)
    found = lowered(net, net.conv(behind, 16))
    assert set(scales(found)) == {"x", behind}
    found = lowered(net, net.conv(behind, 16), net.conv(first, 16))
    assert scales(found)[first] != scales(found)[behind]


def test_concatenation_that_no_layer_reads_is_left_alone():
    net = Net(0, SHAPE)
    first, second = net.silu(net.conv("x", 16)), net.silu(net.conv("x", 16))
    whole = net.concat(first, second)
    assert set(scales(lowered(net, whole))) == {"x"}


def test_image_in_blocks_is_rounded_once():
    """As YOLOX reads it: slices of the image side by side."""
    net = Net(0, (1, 3, 16, 16))
    parts = []
    for row in (0, 1):
        for column in (0, 1):
            ends = {"from": [row, column], "to": [99, 99], "axes": [2, 3], "by": [2, 2]}
            names = [net.constant(f"{k}{row}{column}", np.array(v)) for k, v in ends.items()]
            parts.append(net.node("Slice", "x", *names))
    found = lowered(net, net.conv(net.concat(*parts), 16))
    assert len(scales(found)["x"]) == 1
    assert set.union(*scales(found).values()) == scales(found)["x"]


# What it computes


@pytest.mark.parametrize("transposed", [True, False])
def test_fully_connected_layer_of_either_layout(transposed):
    net = Net(3, (4, 24))
    last = net.gemm("x", 32)
    if not transposed:
        net.weights["w0"] = np.ascontiguousarray(net.weights["w0"].T)
        net.nodes[0].attribute[0].i = 0
    model, image = net.model(last), net.image()
    found = lower(model, record(model, image))
    (weight,) = (n for n in found.graph.node if n.name.endswith("__weight__dq"))
    assert onnx.helper.get_attribute_value(weight.attribute[0]) == (0 if transposed else 1)
    wanted, got = (evaluate(m, {"x": image})[last] for m in (model, found))
    assert np.abs(wanted - got).max() < 0.03 * np.abs(wanted).max()


def codes_of(model, image):
    """Codes of each rounded tensor, as ONNX Runtime computes them, operator by operator."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = [n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"]
    for name in names:
        watched.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT8, None)
        )
    session = InstrumentedModel(watched, ())._session
    # Without names all outputs come.
    return {} if not names else dict(zip(names, session.run(names, {"x": image}), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_every_step_is_the_arithmetic_of_the_scales_in_the_file(seed):
    """Against float64, each step from the same codes: only ties may differ, by one."""
    net, model = chain(seed)
    image = net.image()
    found = lower(model, record(model, image))
    codes = codes_of(found, image)
    assert len(codes) == 9
    expected = evaluate(found, {"x": image}, codes)
    for name, values in codes.items():
        difference = values.astype(int) - expected[name]
        assert np.abs(difference).max() <= 1, name
        assert np.count_nonzero(difference) <= 0.001 * difference.size, name


@pytest.mark.parametrize("seed", range(4))
def test_result_is_within_a_few_quanta_of_float(seed):
    net, model = chain(seed)
    image = net.image()
    wanted = evaluate(model, {"x": image})
    got = evaluate(lower(model, record(model, image)), {"x": image})
    for name in (value.name for value in model.graph.output):
        spread = np.abs(wanted[name]).max()
        assert np.abs(wanted[name] - got[name]).max() < 0.06 * spread, name


def test_codes_of_a_concatenation_are_those_of_its_parts():
    net = Net(5, SHAPE)
    first, second = net.silu(net.conv("x", 16)), net.node("Relu", net.conv("x", 16))
    whole = net.concat(first, second)
    model, image = net.model(net.conv(whole, 16)), net.image()
    codes = codes_of(lower(model, record(model, image)), image)
    parts = [codes[f"{name}{SUFFIX}__codes"] for name in (first, second)]
    assert (codes[f"{whole}{SUFFIX}__codes"] == np.concatenate(parts, axis=1)).all()


# Any graph


KINDS = ("conv", "silu", "relu", "add", "concat", "pool", "average")
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=9
)
WIDEST = 64


def built(steps, seed):
    """A graph of layers, activations, sums, concatenations and poolings; each step reads two."""
    net, tensors = Net(seed, SHAPE), ["x"]
    around = {"kernel_shape": [3, 3], "pads": [1] * 4}
    for kind, *places in steps:
        first, second = (tensors[place % len(tensors)] for place in places)
        channels = [net.channels[name] for name in (first, second)]
        if kind in ("conv", "silu", "relu"):
            raw = net.conv(first, 16)
            act = {"conv": str, "silu": net.silu, "relu": lambda n: net.node("Relu", n)}[kind]
            tensors.append(act(raw))
        elif kind == "add" and channels[0] == channels[1]:
            tensors.append(net.node("Add", first, second))
        elif kind == "concat" and sum(channels) <= WIDEST:
            tensors.append(net.concat(first, second))
        elif kind in ("pool", "average"):
            tensors.append(net.node({"pool": "MaxPool"}.get(kind, "AveragePool"), first, **around))
    last = net.conv(net.concat(*tensors[-2:]) if len(tensors) > 2 else tensors[-1], 16)
    return net.model(last), net.image()


def some_layers(model, places):
    names = [node.name for node in Graph(model).layers()]
    return {names[place % len(names)] for place in places}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 9), st.sets(st.integers(0, 9), max_size=2))
def test_scales_are_shared_by_what_moves_values(steps, seed, places):
    model, image = built(steps, seed)
    kept = some_layers(model, places)
    quantization = record(model, image, float_layers=kept)
    found = lower(model, quantization)
    graph, rounded = Graph(model), scales(found)
    assert all(len(of_one) == 1 for of_one in rounded.values())
    for node in model.graph.node:
        if node.op_type in ("Concat", "MaxPool") and node.output[0] in rounded:
            assert {name: rounded[name] for name in node.input} == dict.fromkeys(
                node.input, rounded[node.output[0]]
            )
    # Nothing is rounded finer than its own range, nor is any range cut.
    for layer in graph.layers():
        if layer.name not in kept:
            amax = quantization.ranges[layer.input[0]].amax
            (scale,) = rounded[layer.input[0]]
            assert 127 * scale >= amax * (1 - 2.0**-10)
    layers, integers = layer_counts(found)
    assert (layers, integers) == (len(graph.layers()), len(graph.layers()) - len(kept))


@settings(max_examples=20, deadline=None)
@given(STEPS, st.integers(0, 9), st.sets(st.integers(0, 9), max_size=2))
def test_any_graph_computes_with_its_scales(steps, seed, places):
    model, image = built(steps, seed)
    kept = some_layers(model, places)
    found = lower(model, record(model, image, float_layers=kept))
    codes = codes_of(found, image)
    expected = evaluate(found, {"x": image}, codes)
    for name, values in codes.items():
        assert np.abs(values.astype(int) - expected[name]).max() <= 1, name


# The choice


def test_what_is_judged_is_what_is_lowered(tmp_path):
    net, model = chain(0)
    quantization = record(model, net.image())
    setting = Setting(float_layers=frozenset({"n_conv0"}))
    found = variants("tensorrt", model, quantization, tmp_path).emulated(setting)
    assert found == lower(model, setting.applied(quantization, {}))
    assert "n_conv0" in setting.applied(quantization, {}).float_layers


def test_choice_keeps_the_fewest_layers_in_float_and_says_why():
    net, model = chain(0)
    image = net.image()
    quantization = record(model, image)
    estimator = OutputErrorEstimator.of(
        model, [value.name for value in model.graph.output], [[image]]
    )

    def error(graph):
        return estimator.error(execute(graph, estimator.names, fuse_pairs=False))

    whole = error(lower(model, quantization))
    asked = []
    target = TuningTarget(whole / 2, None)
    found = choose(
        "tensorrt",
        model,
        quantization,
        [[image]],
        target,
        lambda *done: asked.append(done),
        estimator,
    )
    counted = Counter(found.float_layers.values())
    assert found.float_layers["n_gemm16"] == ONE_ROW
    assert counted["rounding it costs too much accuracy"] >= 1
    assert found.error_all_int8 == pytest.approx(whole)
    assert found.error <= whole / 2
    assert found.error == pytest.approx(error(lower(model, found.applied(quantization))))
    assert (found.forms, found.float_silu) == ({}, False)


def test_without_a_limit_all_suited_layers_are_quantized():
    net, model = chain(0)
    image = net.image()
    found = choose(
        "tensorrt",
        model,
        record(model, image),
        [[image]],
        TuningTarget(None, None),
        lambda *_: None,
    )
    assert found.float_layers == {"n_gemm16": ONE_ROW}


def test_model_of_nothing_but_unsuited_layers_stays_as_it_is():
    net = Net(0, (1, 4, 8, 8))
    model, image = net.model(net.conv(net.node("Relu", net.conv("x", 4)), 4)), net.image()
    quantization = replace(record(model, image), float_layers={})
    found = choose(
        "tensorrt", model, quantization, [[image]], TuningTarget(0.1, None), lambda *_: None
    )
    assert set(found.float_layers.values()) == {FEW_CHANNELS}
    assert found.error == 0.0
    assert layer_counts(lower(model, quantization)) == (2, 0)
