"""INT8 for ONNX Runtime: the form that is written, and what ONNX Runtime computes from it.

Every result is compared with the float64 arithmetic of the quantized graph in qdq_reference.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fqbench.backends import runtime
from fqbench.backends.onnxruntime.lower import layer_counts, lower
from fqbench.convert.canonical import canonicalize
from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import calibrate
from tests.support.onnx_graphs import Net, record
from tests.support.qdq_reference import evaluate
from tests.support.transformers import Transformer

SUM_TO_ZERO = 0.02
"""Largest mean difference, in quanta. Ties that two exact sums break differently have no side."""


def session(model, folder=None):
    options = session_options(threads=1, exact=True)
    if folder is not None:
        options.optimized_model_filepath = str(folder / "optimized.onnx")
    return open_session(model.SerializeToString(), options)


def run(model, image):
    runtime = session(model)
    names = [value.name for value in runtime.get_outputs()]
    return dict(zip(names, runtime.run(None, {"x": image}), strict=True))


def optimized_kinds(model, folder):
    session(model, folder)
    return Counter(n.op_type for n in onnx.load(str(folder / "optimized.onnx")).graph.node)


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def run_in_integers(model, folder):
    """How many layers ONNX Runtime runs in integers, as the conformance tests count them."""
    onnx.save(model, str(folder / "model.onnx"))
    onnxruntime = runtime("onnxruntime")
    runner = onnxruntime.prepare(folder, device="cpu", precision="int8", threads=1)
    return runner.int8_convolutions()


def watched(lowered):
    """``lowered`` with the codes of every activation as outputs too."""
    result = onnx.ModelProto()
    result.CopyFrom(lowered)
    for node in lowered.graph.node:
        if node.op_type == "QuantizeLinear":
            result.graph.output.append(
                onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.UINT8, None)
            )
    return result


def code_differences(lowered, image):
    """Codes of ONNX Runtime less the reference's, by tensor; each step from the same inputs."""
    results = run(watched(lowered), image)
    codes = {name: value for name, value in results.items() if value.dtype == np.uint8}
    expected = evaluate(lowered, {"x": image}, codes)
    return {name: value.astype(int) - expected[name] for name, value in codes.items()}


def quantum_of(quantization, name):
    ends = quantization.ranges[name]
    return (ends.high - ends.low) / 255


def chain(seed):
    """Convolutions of all kinds, a SiLU, a sum, a concatenation, a head; two outputs."""
    net = Net(seed)
    stem = net.node("Relu", net.conv("x", 8))
    down = net.clip(net.conv(stem, 8, strides=[2, 2]))
    deep = net.conv(down, 8, groups=8, pads=[0, 1, 2, 1])
    silu = net.silu(net.conv(deep, 8, 1))
    joined = net.node("Concat", net.node("Add", silu, down), silu, axis=1, channels=16)
    pooled = net.node("MaxPool", joined, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    last = net.node("Relu", net.conv(net.resize(pooled), 8, 1))
    flat = net.node("Flatten", net.node("GlobalAveragePool", last))
    return net, net.model(last, net.gemm(flat, 5))


@pytest.mark.parametrize("seed", range(4))
def test_reference_computes_what_onnx_runtime_computes_in_float(seed):
    net, model = chain(seed)
    image = net.image()
    expected = evaluate(model, {"x": image})
    for name, value in run(model, image).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4)


@pytest.mark.parametrize(("float_silu", "tensors"), [(False, 18), (True, 19)])
@pytest.mark.parametrize("seed", range(4))
def test_every_step_of_a_chain_is_exact_to_one_quantum(seed, float_silu, tensors, tmp_path):
    net, model = chain(seed)
    image = net.image()
    lowered = lower(model, record(model, image), float_silu=float_silu)
    found = optimized_kinds(watched(lowered), tmp_path)
    assert (found["QLinearConv"], found["QGemm"]) == (5, 1)
    differences = code_differences(lowered, image)
    assert len(differences) == tensors
    for name, difference in differences.items():
        assert np.abs(difference).max() <= 1, name
        assert abs(difference.mean()) <= SUM_TO_ZERO, name


@pytest.mark.parametrize("float_silu", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_chain_as_deployed_stays_within_two_quanta(seed, float_silu):
    net, model = chain(seed)
    image = net.image()
    quantization = record(model, image)
    lowered = lower(model, quantization, float_silu=float_silu)
    expected, results = evaluate(lowered, {"x": image}), run(lowered, image)
    features, logits = (value.name for value in model.graph.output)
    difference = (results[features] - expected[features]) / quantum_of(quantization, features)
    assert np.abs(difference).max() <= 2
    assert abs(difference.mean()) <= SUM_TO_ZERO
    # The product itself is exact; each mean of the features may be one quantum off.
    means = model.graph.node[-1].input[0]
    reach = np.abs(net.weights["w16"]).sum(axis=1) * quantum_of(quantization, means)
    assert np.all(np.abs(results[logits] - expected[logits]) <= reach)


def test_int8_is_near_float():
    """All of the error is quantization noise: a few hundredths of the signal."""
    net, model = chain(1)
    image = net.image()
    name = model.graph.output[0].name
    real = run(model, image)[name]
    int8 = run(lower(model, record(model, image)), image)[name]
    assert 0 < np.sqrt(np.mean((int8 - real) ** 2)) <= 0.05 * real.std()


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("activation", ["none", "Relu", "Clip"])
def test_single_convolution_is_exact_to_one_quantum(size, groups, activation, tmp_path):
    net = Net(7, (1, 4, 16, 16))
    last = net.conv("x", 8, size, groups=groups)
    if activation == "Relu":
        last = net.node("Relu", last)
    elif activation == "Clip":
        last = net.clip(last, 0.0, 1.0)
    # Of 3 x 3, a head stays in float.
    model, image = net.model(net.conv(last, 2)), net.image()
    lowered = lower(model, record(model, image))
    found = optimized_kinds(lowered, tmp_path)
    wanted = {"QuantizeLinear": 1, "QLinearConv": 1, "DequantizeLinear": 1}
    assert {kind: found[kind] for kind in wanted} == wanted
    difference = code_differences(lowered, image)[f"{last}__quantized"]
    assert np.abs(difference).max() <= 1
    assert abs(difference.mean()) <= SUM_TO_ZERO


BETWEEN = {
    "Sigmoid": lambda net, a, b: net.node("Sigmoid", a),
    "SiLU": lambda net, a, b: net.silu(a),
    "LeakyRelu": lambda net, a, b: net.node("LeakyRelu", a, alpha=0.13),
    "Add": lambda net, a, b: net.node("Add", a, b),
    "Mul": lambda net, a, b: net.node("Mul", a, b),
    "Concat": lambda net, a, b: net.concat(a, b),
    "MaxPool": lambda net, a, b: net.node("MaxPool", a, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool": lambda net, a, b: net.average(a),
    "AveragePool with padding": lambda net, a, b: net.average(a, 3, pads=[1] * 4),
    "shuffle": lambda net, a, b: net.shuffle(a, 16),
    "halves": lambda net, a, b: net.concat(*reversed(net.split(a))),
    "GlobalAveragePool": lambda net, a, b: net.node("GlobalAveragePool", a),
    "Resize": lambda net, a, b: net.resize(a),
    "Transpose": lambda net, a, b: net.node("Transpose", a, perm=[0, 1, 3, 2]),
    "squeeze and excite": lambda net, a, b: net.node(
        "Mul", a, net.node("Sigmoid", net.conv(net.node("GlobalAveragePool", a), 4, 1))
    ),
}


def test_silu_in_float_lies_between_integer_convolutions(tmp_path):
    """One kernel in float, no transpose beside those of the model's ends, and no other rounding."""
    net = Net(11)
    last = net.node("Relu", net.conv(net.silu(net.conv("x", 4)), 4))
    model, image = net.model(last), net.image()
    quantization = record(model, image)
    found = optimized_kinds(lower(model, quantization, float_silu=True), tmp_path)
    assert found["QuickGelu"] == 1
    assert found["QLinearConv"] == found["QuantizeLinear"] == found["DequantizeLinear"] == 2
    integers = optimized_kinds(lower(model, quantization), tmp_path)
    assert integers["QLinearSigmoid"] == integers["QLinearMul"] == 1
    assert found["Transpose"] == integers["Transpose"]


def test_silus_in_float_share_the_scale_of_what_they_are_joined_to(tmp_path):
    net = Net(11)
    joined = net.concat(net.silu(net.conv("x", 4)), net.silu(net.conv("x", 4)))
    model = net.model(net.node("Relu", net.conv(joined, 4)))
    lowered = lower(model, record(model, net.image()), float_silu=True)
    scales = {
        t.name: numpy_helper.to_array(t).item()
        for t in lowered.graph.initializer
        if t.name.endswith("__scale") and t.dims == []
    }
    silus = [n.output[0] for n in model.graph.node if n.op_type == "Mul"]
    assert len({scales[f"{name}__scale"] for name in (*silus, joined)}) == 1


def test_enlarging_copies_whole_places(tmp_path):
    net = Net(11)
    last = net.node("Relu", net.conv(net.resize(net.node("Relu", net.conv("x", 4))), 4))
    model = net.model(last)
    found = optimized_kinds(lower(model, record(model, net.image())), tmp_path)
    assert (found["Resize"], found["Expand"], found["QLinearConv"]) == (0, 1, 2)
    # Of integers at the model's start, back to float at its end.
    assert found["Transpose"] == 2


@pytest.mark.parametrize("between", BETWEEN)
def test_operator_between_convolutions_runs_in_integers(between, tmp_path):
    net = Net(11)
    first, second = net.conv("x", 4), net.node("Relu", net.conv("x", 4))
    last = net.node("Relu", net.conv(BETWEEN[between](net, first, second), 4))
    model, image = net.model(last, second), net.image()
    lowered = lower(model, record(model, image))
    found = optimized_kinds(lowered, tmp_path)
    assert run_in_integers(lowered, tmp_path) == kinds(model)["Conv"]
    assert layer_counts(lowered) == (kinds(model)["Conv"],) * 2
    assert found["QuantizeLinear"] == 1
    assert found["DequantizeLinear"] == 2
    for name, difference in code_differences(lowered, image).items():
        assert np.abs(difference).max() <= 1, name
        assert abs(difference.mean()) <= max(SUM_TO_ZERO, 2 / difference.size), name


def quantized_model():
    net, model = chain(3)
    image = net.image()
    return model, record(model, image), image


def test_no_pair_between_a_convolution_and_its_activation():
    model, quantization, _ = quantized_model()
    graph = Graph(lower(model, quantization))
    activations = [n for n in graph.model.graph.node if n.op_type in ("Relu", "Clip")]
    assert len(activations) == 3
    for node in activations:
        assert graph.producer[node.input[0]].op_type == "Conv"
        assert [c.op_type for c in graph.consumers[node.output[0]]] == ["QuantizeLinear"]


def test_types_and_scales_that_are_written():
    model, quantization, _ = quantized_model()
    graph = Graph(lower(model, quantization))

    def parameters(node):
        return [numpy_helper.to_array(graph.weights[name]) for name in node.input[1:]]

    pairs = [n for n in graph.model.graph.node if n.op_type == "QuantizeLinear"]
    assert len(pairs) == 18
    for node in pairs:
        scale, zero_point = parameters(node)
        readers = graph.consumers[node.output[0]]
        assert zero_point.dtype == np.uint8
        assert scale.shape == ()
        assert {back.op_type for back in readers} == {"DequantizeLinear"}
        assert all(back.input[1:] == node.input[1:] for back in readers)
    convolutions = [n for n in graph.model.graph.node if n.op_type == "Conv"]
    assert len(convolutions) == 5
    for node in convolutions:
        source, weight, bias = (graph.producer[name] for name in node.input)
        codes = numpy_helper.to_array(graph.weights[weight.input[0]])
        bias_codes = numpy_helper.to_array(graph.weights[bias.input[0]])
        weight_scale, weight_zero = parameters(weight)
        bias_scale, bias_zero = parameters(bias)
        assert codes.dtype == weight_zero.dtype == np.int8
        assert bias_codes.dtype == bias_zero.dtype == np.int32
        assert weight_scale.shape == (codes.shape[0],)
        assert np.abs(codes).reshape(len(codes), -1).max(axis=1).tolist() == [127] * len(codes)
        assert not weight_zero.any()
        assert not bias_zero.any()
        np.testing.assert_array_equal(bias_scale, parameters(source)[0] * weight_scale)


def test_a_written_graph_has_no_float_weight_of_a_quantized_convolution():
    model, quantization, _ = quantized_model()
    lowered = lower(model, quantization)
    kept = {tensor.name for tensor in lowered.graph.initializer}
    assert kept.isdisjoint(quantization.weight_amax)


def test_the_model_given_stays_as_it_is():
    model, quantization, _ = quantized_model()
    before = model.SerializeToString(deterministic=True)
    lower(model, quantization)
    assert model.SerializeToString(deterministic=True) == before


def test_lowering_twice_gives_the_same_graph():
    model, quantization, _ = quantized_model()
    first, second = (
        lower(model, quantization).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second


def test_float_layer_is_written_as_it_was():
    net, model = chain(3)
    image = net.image()
    kept = Graph(model).layers()[2]
    lowered = lower(model, record(model, image, float_layers=[kept.name]))
    assert layer_counts(lowered) == (6, 5)
    (written,) = (n for n in lowered.graph.node if n.name == kept.name)
    assert written.input[1:] == kept.input[1:]
    float_weight = Graph(lowered).weights[kept.input[1]]
    assert float_weight == Graph(model).weights[kept.input[1]]


@pytest.mark.parametrize("place", range(6))
def test_float_layer_runs_in_float_and_the_others_do_not(place, tmp_path):
    net, model = chain(5)
    kept = Graph(model).layers()[place].name
    lowered = lower(model, record(model, net.image(), float_layers=[kept]))
    assert layer_counts(lowered) == (6, 5)
    assert run_in_integers(lowered, tmp_path) == 5


@pytest.mark.parametrize(
    ("unknown", "planned"),
    [
        ("x", 5),
        ("conv0", 6),  # the kernel of the first convolution writes relu1, never conv0
        ("relu1", 4),
        ("sigmoid6", 6),  # a sigmoid needs no range of its own
        ("resize11", 6),  # nor does what only moves values
        ("gemm16", 6),  # nor a head, which writes its result in float
        ("globalaveragepool14", 5),  # but the head's input does
    ],
)
def test_tensor_without_range_leaves_the_layers_beside_it_float(unknown, planned, tmp_path):
    net, model = chain(3)
    image = net.image()
    assert unknown in {"x", *(n.output[0] for n in model.graph.node)}
    lowered = lower(model, record(model, image, unknown=[unknown]))
    assert layer_counts(lowered) == (6, planned)
    assert run_in_integers(lowered, tmp_path) == planned
    for code, difference in code_differences(lowered, image).items():
        assert np.abs(difference).max() <= 1, code


def test_weight_without_limits_is_rounded_to_its_largest_magnitude():
    net, model = chain(3)
    quantization = record(model, net.image())
    without = {k: v for k, v in quantization.weight_amax.items() if k != "w12"}
    assert lower(model, replace(quantization, weight_amax=without)) == lower(model, quantization)


def test_weight_beyond_its_recorded_limits_saturates():
    net, model = chain(3)
    quantization = record(model, net.image())
    halves = np.array(quantization.weight_amax["w12"]) / 2
    limits = {**quantization.weight_amax, "w12": tuple(halves)}
    kept = Graph(lower(model, replace(quantization, weight_amax=limits))).weights
    codes = numpy_helper.to_array(kept["n_conv12__weight__codes"])
    beyond = np.abs(net.weights["w12"]) >= halves[:, None, None, None]
    assert beyond.sum() > 8
    assert np.all(np.abs(codes[beyond]) == 127)


def test_nothing_to_quantize_gives_the_model_itself():
    net, model = chain(3)
    quantization = replace(record(model, net.image()), ranges={})
    lowered = lower(model, quantization)
    assert kinds(lowered) == kinds(model)
    assert layer_counts(lowered) == (6, 0)


def test_quantized_result_that_is_an_output_of_the_model_keeps_its_name():
    net = Net(5)
    model = net.model(net.node("Relu", net.conv("x", 4)))
    image = net.image()
    lowered = lower(model, record(model, image))
    assert layer_counts(lowered) == (1, 1)
    assert [v.name for v in lowered.graph.output] == [v.name for v in model.graph.output]


@pytest.mark.parametrize("size", [0.0, 1e-10, 1e-30])
def test_channel_of_almost_no_weight_keeps_its_large_bias(size, tmp_path):
    net = Net(2)
    middle = net.conv("x", 4)
    net.weights["w0"][1] *= np.float32(size)
    net.weights["w0"][2] *= np.float32(size)
    net.weights["b0"][:] = [0.5, 40.0, -25.0, 0.0]
    last = net.conv(middle, 2)
    model, image = net.model(last), net.image()
    quantization = record(model, image)
    lowered = lower(model, quantization)
    assert run_in_integers(lowered, tmp_path) == 1
    lowered.graph.output.append(onnx.helper.make_empty_tensor_value_info(middle))
    quantum = quantum_of(quantization, middle)
    result = run(lowered, image)[middle]
    # Zero has a code of its own, for which the range moves by half a quantum.
    assert np.abs(result[0, 1] - 40.0).max() <= quantum * 1.001
    assert np.abs(result[0, 2] + 25.0).max() <= quantum * 1.001
    wanted = evaluate(model, {"x": image})[middle]
    assert np.abs(result - wanted).max() <= 2 * quantum


def test_fully_connected_layers_of_tokens_read_integers_and_write_float(tmp_path):
    """Each step from the same codes is exact; norms, attention and GELU compute in float."""
    net = Transformer()
    model = canonicalize(net.model(), (1, 3, net.side, net.side))
    images = net.images(8)
    quantization = calibrate(model, images, "mse", saturates=False)
    assert quantization.float_layers == {}
    lowered = lower(model, quantization)
    assert layer_counts(lowered) == (10, 10)
    assert run_in_integers(lowered, tmp_path) == 10
    found = optimized_kinds(lowered, tmp_path)
    assert (found["QGemm"], found["QLinearConv"]) == (9, 1)
    # Codes become floats behind the first convolution only: each one that nothing reads takes time.
    assert found["DequantizeLinear"] == 1
    norms = found["LayerNormalization"] + found["SkipLayerNormalization"]
    assert (norms, found["Softmax"], found["Gelu"]) == (5, 2, 2)
    wanted = [run(model, image[0])["logits"] for image in images]
    int8 = [run(lowered, image[0])["logits"] for image in images]
    spread = np.square(np.array(wanted) - np.mean(wanted, axis=0)).sum()
    assert 0 < np.square(np.array(int8) - np.array(wanted)).sum() < 0.05 * spread


def test_two_fully_connected_layers_hold_a_quarter_of_their_weights_size(tmp_path):
    net = Net(3, (1, 3, 16, 16))
    conv = net.node("Relu", net.conv("x", 4))
    flat = net.node("Flatten", net.node("MaxPool", conv, kernel_shape=[2, 2], strides=[2, 2]))
    net.channels[flat] = 4 * 8 * 8
    model = net.model(net.gemm(net.node("Relu", net.gemm(flat, 128)), 5))
    lowered = lower(model, record(model, net.image()))
    assert layer_counts(lowered) == (3, 3)
    assert run_in_integers(lowered, tmp_path) == 3
    assert lowered.ByteSize() < 0.35 * model.ByteSize()


def test_fully_connected_layers_without_anything_between_them(tmp_path):
    net = Net(shape=(2, 64))
    model = net.model(net.gemm(net.gemm("x", 48), 32))
    lowered = lower(model, record(model, net.image()))
    image = net.image()
    (result,) = run(lowered, image).values()
    expected = evaluate(lowered, {"x": image})["gemm1"]
    assert np.abs(result - expected).max() < 0.02 * expected.std()
    assert run_in_integers(lowered, tmp_path) == 2
