"""INT8 for OpenVINO: what the file says by float64 arithmetic, and what the runtime makes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fqbench.backends import backend, runtime
from fqbench.backends.openvino.lower import lower, lower_into
from fqbench.backends.variants import FP32, variants
from fqbench.graph.executor import execute
from fqbench.graph.graph import Graph
from fqbench.quantize.setting import Setting
from fqbench.saturation.probe import computed_share
from fqbench.tune.choose import TuningTarget, choose
from fqbench.tune.error import raw_outputs, relative_error
from tests.support.onnx_graphs import Net, anchors, record
from tests.support.openvino import needs_openvino
from tests.support.qdq_reference import evaluate

SIDE = 16


def detector():
    """Residual blocks, SiLU, a concatenation, an enlargement, depthwise layers, anchors."""
    net = Net(3, (1, 3, SIDE, SIDE))
    start = net.silu(net.conv("x", 16))
    block = net.silu(net.conv(net.silu(net.conv(start, 16, 1)), 16))
    added = net.node("Add", start, block)
    depthwise = net.silu(net.conv(added, 16, 3, groups=16, strides=[2, 2]))
    deep = net.silu(net.conv(depthwise, 16, 1))
    joined = net.concat(net.resize(deep), added)
    head = net.conv(net.silu(net.conv(joined, 16, 1)), 12, 1)
    return net, net.model(anchors(net, head, 3, SIDE))


def classifier():
    """Channels shuffled, an average, a fully connected layer."""
    net = Net(4, (1, 3, SIDE, SIDE))
    name = net.node("Relu", net.conv("x", 16))
    for _ in range(2):
        one, other = net.split(name)
        other = net.node("Relu", net.conv(other, 8))
        name = net.shuffle(net.concat(one, other), SIDE)
    pooled = net.node("GlobalAveragePool", net.node("Relu", net.conv(name, 16, 1)))
    return net, net.model(net.gemm(net.node("Flatten", pooled), 5))


MODELS = {"detector": detector, "classifier": classifier}
EVERYTHING = "every layer"


def case(name, zero_points):
    net, model = MODELS[name]()
    image = net.image()
    known = record(model, image)
    layers = tuple(layer.name for layer in Graph(model).layers())
    return model, image, replace(known, zero_points=layers if zero_points else ())


both = pytest.mark.parametrize("zero_points", [False, True])
each = pytest.mark.parametrize("name", MODELS)


@both
@each
def test_the_file_computes_what_the_model_does_but_for_rounding(name, zero_points):
    model, image, quantization = case(name, zero_points)
    (wanted,) = execute(model, Graph(model).outputs, fuse_pairs=False).run([image])
    lowered = lower(model, quantization)
    (found,) = execute(lowered, Graph(model).outputs, fuse_pairs=False).run([image])
    assert relative_error([[wanted]], [[found]]) < 0.01
    (reference,) = (evaluate(lowered, {"x": image})[name] for name in Graph(model).outputs)
    np.testing.assert_allclose(found, reference, atol=0.02 * np.abs(reference).max())


def test_zero_points_round_negative_values_more_finely():
    errors = []
    for zero_points in (False, True):
        model, image, quantization = case("detector", zero_points)
        names = raw_outputs(Graph(model))
        wanted, found = (
            execute(graph, names, fuse_pairs=False).run([image])
            for graph in (model, lower(model, quantization))
        )
        errors.append(relative_error([wanted], [found]))
    assert errors[1] < 0.7 * errors[0]


def test_what_shifted_values_add_is_taken_off_the_bias():
    model, _, quantization = case("detector", True)
    graph = Graph(lower(model, quantization))
    shifts = [node for node in graph.model.graph.node if node.op_type == "Sub"]
    # Only the sum reads values that are not shifted.
    assert len(shifts) <= 1
    unpadded = [node for node in graph.model.graph.node if node.op_type == "Conv"]
    assert any(node.input[2].endswith("__bias") for node in unpadded)


@pytest.mark.slow
@needs_openvino
class TestRuntime:
    def prepared(self, folder: Path, name, zero_points, **changes):
        model, image, quantization = case(name, zero_points)
        lowered = lower_into(
            model,
            replace(quantization, **changes),
            folder,
            feeds=[[image]],
            float_silu=False,
            unsigned=frozenset(),
        )
        runner = runtime("openvino").prepare(folder, device="cpu", precision="int8", threads=1)
        return image, lowered, runner

    @both
    @each
    def test_it_computes_what_the_file_says(self, name, zero_points, tmp_path):
        image, lowered, runner = self.prepared(tmp_path, name, zero_points)
        names = [value.name for value in lowered.emulation.graph.output]
        wanted = execute(lowered.emulation, names, fuse_pairs=False).run([image])
        if computed_share("openvino") < 0.9:
            pytest.skip("8-bit products saturate on this CPU")
        assert relative_error([wanted], [runner.run([image])]) < 0.005

    @both
    @each
    def test_it_runs_every_layer_in_int8_that_is_planned(self, name, zero_points, tmp_path):
        _, lowered, runner = self.prepared(tmp_path, name, zero_points)
        assert runner.int8_convolutions() == lowered.quantized == lowered.layers

    def test_layers_in_float_are_not_counted(self, tmp_path):
        model, _, _ = case("detector", False)
        kept = {Graph(model).layers()[2].name: "a reason"}
        _, lowered, runner = self.prepared(tmp_path, "detector", False, float_layers=kept)
        assert runner.int8_convolutions() == lowered.quantized == lowered.layers - 1

    @both
    def test_nothing_needless_lies_between_layers_in_int8(self, zero_points, tmp_path):
        from fqbench.backends.openvino.executed import executed

        _, _, runner = self.prepared(tmp_path, "classifier", zero_points)
        nodes = [node for node in executed(runner.model) if node.kind not in ("Const", "Input")]
        kinds = [node.kind for node in nodes]
        first, last = kinds.index("Convolution"), len(kinds) - kinds[::-1].index("Convolution")
        between = set(kinds[first:last]) - {"Reshape"}  # of biases: not executed
        assert between <= {"Convolution", "Concatenation", "Split"}

    def test_the_search_is_judged_and_timed_by_it(self, tmp_path):
        model, image, quantization = case("detector", False)
        made = variants("openvino", model, quantization, tmp_path)
        names = raw_outputs(Graph(model))
        setting = Setting(zero_points=made.zero_points[-1])
        found = made.executable(setting, names).run([image])
        wanted = execute(made.emulated(setting), names, fuse_pairs=False).run([image])
        assert relative_error([wanted], [found]) < 0.01
        calls = made.calls({"one": setting}, [image], threads=1)
        assert set(calls) == {FP32, "one"}
        assert all(call() is not None for call in calls.values())
        layers = {layer.name for layer in Graph(model).layers()}
        assert [set(times) for times in made.layer_times(setting, [image], 1)] == [layers, layers]

    def test_zero_points_are_taken_where_the_margin_needs_them(self):
        model, image, quantization = case("detector", False)
        limits = {}
        for limit in (1.0, 1e-9):
            target = TuningTarget(limit=limit, threads=None)
            limits[limit] = choose(
                "openvino", model, quantization, [[image]], target, lambda *_: None
            )
        assert limits[1.0].zero_points == ()
        assert limits[1.0].float_layers == {}
        assert limits[1e-9].zero_points != ()


def test_record_says_what_the_runtime_needs():
    known = backend("openvino")
    assert known.loads == (".onnx", ".xml", ".bin")
    assert known.saturates == "probed"
    assert known.int8.setting is not None
    assert "'INFERENCE_PRECISION_HINT': 'f32'" in known.int8.setting
