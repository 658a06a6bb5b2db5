"""INT8 for Paddle Inference: the real steps and the real runtime, in one child process.

The result is compared with float64 arithmetic of the operators in qdq_reference.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from fqbench.backends.paddle.layers import layers
from fqbench.convert.program import digest
from fqbench.errors import StepError
from fqbench.graph.graph import Graph
from fqbench.isolate.parent import _run, _Watch
from fqbench.quantize.affine import int8_weight, representable_weight_amax
from fqbench.quantize.record import Quantization
from tests.support.onnx_graphs import Net, record
from tests.support.paddle import needs_paddle
from tests.support.qdq_reference import OPERATORS
from tests.support.saturating import paddle_saturates

pytestmark = needs_paddle

SIGNED, UNSIGNED = (-128, 127), (0, 255)
RELU6, SILU, RELU = "clip1", "mul4", "relu6"
"""The tensors that convolutions of ``chain`` read, besides ``x``."""
CODES = {"x": SIGNED, RELU6: UNSIGNED, SILU: SIGNED, RELU: UNSIGNED}
SHAPE = (1, 3, 16, 16)
AROUND = ("feed", "quantize", "scale", "fetch")
"""What stands before and behind the network."""


@pytest.fixture(autouse=True)
def _right_kernels():
    """What is held to exact arithmetic has 8-bit codes; others are tested with those that run."""
    if paddle_saturates():
        pytest.skip("8-bit products saturate in Paddle's kernels on this CPU")


@dataclass(frozen=True)
class Case:
    """A model, its record, and what the child process found."""

    model: onnx.ModelProto
    record: Quantization
    image: np.ndarray
    folder: Path
    found: dict

    def result(self, precision: str) -> np.ndarray:
        return np.load(self.folder / f"{precision}.npy")


def chain(net):
    relu6 = net.clip(net.conv("x", 8))
    silu = net.silu(net.conv(relu6, 8, groups=8))
    relu = net.node("Relu", net.conv(silu, 8, 1))
    assert (relu6, silu, relu) == (RELU6, SILU, RELU)
    return net.conv(relu, 8)


def run_case(net, model, quantization, folder, lost=()):
    image = net.image()
    onnx.save(model, str(folder / "source.onnx"))
    np.save(folder / "image.npy", image)
    quantization.write(folder / "record.json")
    arguments = {
        "folder": str(folder),
        "source": str(folder / "source.onnx"),
        "input_shape": list(SHAPE),
        "record": str(folder / "record.json"),
        "image": str(folder / "image.npy"),
        "lost": list(lost),
    }
    # The child looks for modules where this process does: the root of the repository.
    found = _run(
        "tests.support.paddle_functions:quantize_and_run",
        arguments,
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )
    return Case(model, quantization, image, folder, found)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A chain whose ranges are too small for its values, so that saturation shows too."""
    net = Net(1, SHAPE)
    model = net.model(chain(net))
    quantization = record(model, net.image())
    shares = {"x": 0.7, RELU6: 0.4, SILU: 0.6, RELU: 0.8}
    ranges = {
        name: replace(found, amax=found.amax * shares.get(name, 1.0))
        for name, found in quantization.ranges.items()
    }
    folder = tmp_path_factory.mktemp("case")
    return run_case(net, model, replace(quantization, ranges=ranges), folder)


def int8_result(case, changed=MappingProxyType({})):
    """The network in float64 with rounded inputs and weights of its convolutions.

    ``changed`` are least and largest code of tensors, by name, where not those of ``CODES``.
    """
    codes = {**CODES, **changed}
    graph = Graph(case.model)
    amax = {layer.name: layer.input_amax for layer in layers(case.model, case.record)}
    seen = {name: numpy_helper.to_array(tensor) for name, tensor in graph.weights.items()}
    seen["x"] = case.image
    for node in case.model.graph.node:
        inputs = [seen[name] if name else None for name in node.input]
        if node.op_type == "Conv":
            source, weight = node.input[:2]
            low, high = codes[source]
            scale = amax[node.name] / high
            inputs[0] = np.clip(np.rint(inputs[0] / scale), low, high) * scale
            limits = np.array(case.record.weight_amax[weight])[:, None, None, None]
            inputs[1] = np.clip(np.rint(inputs[1] * 127 / limits), -127, 127) * limits / 127
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        seen[node.output[0]] = OPERATORS[node.op_type](inputs, attributes)
    return seen[case.model.graph.output[0].name]


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.slow
def test_fp32_is_that_of_onnx_runtime(case):
    session = ort.InferenceSession(
        case.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {"x": case.image})
    np.testing.assert_allclose(case.result("fp32"), expected, atol=1e-4)


@pytest.mark.slow
def test_int8_is_symmetric_int8_arithmetic(case):
    """Codes in units of amax / 127; behind a Relu or Relu6, of amax / 255. Bias in float."""
    difference = case.result("int8") - int8_result(case)
    assert np.abs(difference).max() <= 1e-4
    assert abs(difference.mean()) <= 1e-5
    assert rms(case.result("int8") - case.result("fp32")) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "codes"), [("x", UNSIGNED), (RELU6, SIGNED), (SILU, UNSIGNED), (RELU, SIGNED)]
)
def test_range_of_codes_is_this_and_no_other(case, source, codes):
    """Positive results of a folded Relu or Relu6 have 255 codes, all others 127."""
    other = int8_result(case, {source: codes})
    assert rms(case.result("int8") - other) > 100 * rms(case.result("int8") - int8_result(case))


@pytest.mark.slow
def test_every_planned_convolution_runs_in_int8(case):
    assert case.found["planned"] == case.found["written"] == 4
    assert case.found["running"] == {"fp32": 0, "int8": 4}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_bias_and_activation_run_within_the_convolution(case, precision):
    kinds = {kind for kind in case.found["optimized"][precision] if kind not in AROUND}
    assert kinds == {"fused_conv2d"}


def joins(net):
    """Concatenations of signed, of positive and of both kinds of results, pooled and enlarged.

    Positive results go through each kind of operator, since Paddle holds those in other codes.
    """
    signed = [net.silu(net.conv("x", 4, 1)) for _ in range(2)]
    positive = [net.node("Relu", net.conv(signed[0], 4, 1)) for _ in range(2)]
    pooled = net.node("MaxPool", net.concat(*positive), kernel_shape=[2, 2], strides=[2, 2])
    enlarged = net.resize(net.node("Relu", net.conv(pooled, 4, 1)))
    both = net.concat(net.node("Relu", net.conv(net.concat(*signed), 4, 1)), signed[1])
    average = net.average(net.node("Relu", net.conv(both, 4, 1)))
    last = net.concat(net.conv(enlarged, 4, 1), net.conv(net.resize(average), 4, 1))
    return net.conv(net.silu(last), 4, 1)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    net = Net(5, SHAPE)
    model = net.model(joins(net))
    quantization = record(model, net.image())
    # Wide enough that nothing saturates: uint8 codes with 127 steps have room above.
    ranges = {name: replace(r, amax=r.amax * 1.5) for name, r in quantization.ranges.items()}
    folder = tmp_path_factory.mktemp("joined")
    return run_case(net, model, replace(quantization, ranges=ranges), folder)


@pytest.mark.slow
def test_what_joins_convolutions_runs_in_integers_where_codes_are_of_one_kind(joined):
    """Two of four concatenations: one has parts of both kinds, one is read by a SiLU."""
    integers = joined.found["integers"]["int8"]
    assert integers.count("concat") == 2
    assert integers.count("pool2d") == 1
    assert joined.found["integers"]["fp32"] == []
    assert joined.found["running"]["int8"] == joined.found["written"] == joined.found["planned"]


@pytest.mark.slow
def test_what_joins_convolutions_rounds_as_if_it_were_float(joined):
    """All codes are signed there, also those of positive results."""
    signed = {node.input[0]: SIGNED for node in Graph(joined.model).convolutions()}
    difference = joined.result("int8") - int8_result(joined, signed)
    assert np.abs(difference).max() <= 1e-4
    assert rms(joined.result("int8") - joined.result("fp32")) > 1e-2


@pytest.mark.slow
def test_average_of_codes_that_a_convolution_reads_runs_in_integers(tmp_path):
    net = Net(8, SHAPE)
    silu = net.silu(net.conv("x", 8))
    model = net.model(net.conv(silu, 4, 1), net.conv(net.average(silu), 4, 1))
    case = run_case(net, model, record(model, net.image()), tmp_path)
    assert case.found["integers"]["int8"].count("pool2d") == 1
    signed = {node.input[0]: SIGNED for node in Graph(model).convolutions()}
    assert np.abs(case.result("int8") - int8_result(case, signed)).max() <= 1e-4


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """A residual network: what is added is a projection first, then a result of a Relu."""
    net = Net(6, SHAPE)
    wide = net.node("Relu", net.conv("x", 8))
    within = net.node("Relu", net.conv(wide, 8))
    first = net.node("Relu", net.node("Add", net.conv(within, 8), net.conv(wide, 8, 1)))
    within = net.node("Relu", net.conv(first, 8))
    second = net.node("Relu", net.node("Add", net.conv(within, 8), first))
    model = net.model(net.average(second))
    return run_case(net, model, record(model, net.image()), tmp_path_factory.mktemp("residual"))


@pytest.mark.slow
def test_sums_run_within_convolutions_in_int8(residual):
    kinds = {kind for kind in residual.found["optimized"]["int8"] if kind not in AROUND}
    assert kinds == {"fused_conv2d", "dequantize", "pool2d"}
    assert residual.found["planned"] == residual.found["written"] == 6
    assert residual.found["running"]["int8"] == 6


@pytest.mark.slow
def test_sums_with_a_relu_do_not_saturate(residual):
    """int8 codes in the scale of uint8 ones would end at half of the range."""
    error = residual.result("int8") - residual.result("fp32")
    assert 0 < rms(error) <= 0.03 * residual.result("fp32").std()
    assert np.abs(error).max() <= 0.05 * residual.result("fp32").max()


@pytest.mark.slow
def test_sum_of_what_has_no_scale_keeps_its_convolution_in_float(tmp_path):
    """The SiLU's result is read by the sum alone, so that nothing tells Paddle its scale."""
    net = Net(7, SHAPE)
    silu = net.silu(net.conv("x", 8))
    added = net.node("Relu", net.node("Add", net.conv("x", 8), silu))
    model = net.model(net.conv(added, 8))
    found = run_case(net, model, record(model, net.image()), tmp_path).found
    assert (found["planned"], found["written"]) == (3, 2)
    assert found["running"]["int8"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("added", ["relu", "relu6", "pooled"])
def test_sum_that_goes_below_zero_with_what_does_not(added, tmp_path):
    """Paddle writes a sum in the kind of codes that is added: uint8 would end at zero."""
    net = Net(9, SHAPE)
    source = net.conv("x", 8)
    other = net.clip(source) if added == "relu6" else net.node("Relu", source)
    if added == "pooled":
        other = net.node("MaxPool", other, kernel_shape=[3, 3], pads=[1] * 4)
    total = net.node("Add", net.conv(net.conv(other, 8), 8), other)
    model = net.model(net.conv(total, 8))
    case = run_case(net, model, record(model, net.image()), tmp_path)
    assert case.found["planned"] == case.found["written"] == 3
    assert case.found["running"]["int8"] == 3
    error = rms(case.result("int8") - case.result("fp32"))
    assert 0 < error <= 0.05 * case.result("fp32").std()


@pytest.mark.slow
def test_mended_program_has_swish_and_relu6_and_no_clip_by_tensors(case):
    kinds = [op["type"] for op in case.found["operators"]]
    assert kinds.count("swish") == 1
    assert kinds.count("relu6") == 1
    assert kinds.count("relu") == 1
    assert not {"sigmoid", "elementwise_mul"} & set(kinds)
    assert not any({"Min", "Max"} & set(op["inputs"]) for op in case.found["operators"])


@pytest.mark.slow
def test_float_layer_and_channel_of_almost_no_weight(tmp_path):
    """In one process: the third convolution stays float; a large bias stays right."""
    net = Net(4, SHAPE)
    last = chain(net)
    net.weights["w0"][1] *= np.float32(1e-10)
    net.weights["w0"][2] = 0.0
    net.weights["b0"][:3] = [0.5, 5.0, 4.0]
    model = net.model(last)
    image = net.image()
    kept = Graph(model).convolutions()[2].name
    found = run_case(net, model, record(model, image, float_layers=[kept]), tmp_path)
    assert found.found["planned"] == found.found["written"] == 3
    assert found.found["running"]["int8"] == 3
    error = rms(found.result("int8") - found.result("fp32"))
    assert 0 < error <= 0.05 * found.result("fp32").std()


def planned(**changes):
    net = Net(1, SHAPE)
    model = net.model(chain(net))
    quantization = replace(record(model, net.image()), **changes)
    return net, model, quantization


def test_layer_is_told_by_its_name_and_its_weights_digest():
    net, model, quantization = planned()
    found = layers(model, quantization)
    assert [layer.name for layer in found] == [node.name for node in Graph(model).convolutions()]
    first = found[0]
    assert (first.weight, first.number) == (digest(net.weights["w0"]), 0)
    assert first.input_amax == quantization.ranges["x"].amax
    assert first.weight_amax == quantization.weight_amax["w0"]


def test_layers_of_one_weight_are_told_apart_by_their_number():
    """Also where the first of them stays in float."""
    net = Net(1, SHAPE)
    first = net.conv("x", 3)
    second = net.node("Conv", first, "w0", "b0", pads=[1] * 4, kernel_shape=[3, 3])
    model = net.model(second)
    names = [node.name for node in Graph(model).convolutions()]
    quantization = record(model, net.image())
    found = layers(model, quantization)
    assert [(layer.name, layer.number) for layer in found] == [(names[0], 0), (names[1], 1)]
    assert found[0].weight == found[1].weight
    assert layers(model, replace(quantization, float_layers={names[0]: "why"})) == found[1:]


def test_limits_of_a_layer_leave_room_for_its_bias():
    net, model, quantization = planned()
    tiny = {**quantization.weight_amax, "w0": (1e-12,) * 8}
    found = layers(model, replace(quantization, weight_amax=tiny))[0]
    _, scales = int8_weight(net.weights["w0"], found.weight_amax)
    for levels in (127, 255):
        unit = found.input_amax / levels * scales.astype(np.float64)
        assert np.abs(net.weights["b0"] / unit).max() <= 2**31 - 1
    assert np.all(np.array(found.weight_amax) >= representable_weight_amax(tiny["w0"], 0.0, 1.0))


@pytest.mark.parametrize("lost", ["ranges", "float_layers"])
def test_layer_without_a_range_or_to_stay_in_float_is_left_out(lost):
    _, model, quantization = planned()
    names = [node.name for node in Graph(model).convolutions()]
    if lost == "ranges":
        known = {name: found for name, found in quantization.ranges.items() if name != RELU6}
        quantization = replace(quantization, ranges=known)
    else:
        quantization = replace(quantization, float_layers={names[1]: "why"})
    found = layers(model, quantization)
    assert [layer.name for layer in found] == [names[0], *names[2:]]


@pytest.mark.slow
def test_convolution_that_conversion_lost_is_told(tmp_path):
    """A layer that the Paddle program lacks is an error, not one layer fewer in INT8."""
    net, model, quantization = planned()
    with pytest.raises(StepError, match="1 of 4 convolutions to quantize were lost"):
        run_case(net, model, quantization, tmp_path, lost=[digest(net.weights["w0"])])
