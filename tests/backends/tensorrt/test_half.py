"""The float16 form of a graph: which nodes, which constants, and what it computes."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends import runtime
from fqbench.backends.tensorrt.half import half, large_tensors
from fqbench.backends.tensorrt.lower import lower
from fqbench.errors import StepError
from fqbench.graph.graph import Graph
from tests.backends.tensorrt.test_lower_tensorrt import STEPS, built, chain
from tests.support.onnx_graphs import Net, anchors, record

SHAPE = (1, 16, 8, 8)
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
NAMES = {FLOAT: "float32", HALF: "float16"}


def run(model, image):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": image})


def constants(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def types(model):
    """The type in which each node of a graph computes: that of its float results."""
    known = {name: value.dtype.name for name, value in constants(model).items()}
    known.update({v.name: NAMES[v.type.tensor_type.elem_type] for v in model.graph.input})
    found = {}
    for node in model.graph.node:
        read = [known[name] for name in node.input if name]
        if node.op_type == "Cast":
            written = NAMES[helper.get_attribute_value(node.attribute[0])]
        elif node.op_type == "DequantizeLinear":
            written = read[1]
        elif node.op_type == "QuantizeLinear":
            assert read[0] == read[1], node.name
            written = "int8"
        else:
            (written,) = {kind for kind in read[:1] if kind.startswith("float")}
            if node.op_type != "Resize":
                assert {kind for kind in read if kind.startswith("float")} == {written}, node.name
        known.update(dict.fromkeys(node.output, written))
        found[node.name] = written
    assert {known[value.name] for value in model.graph.output} == {"float32"}
    return found


def casts(model):
    return [node for node in model.graph.node if node.op_type == "Cast"]


def classifier():
    net = Net(0, SHAPE)
    hidden = net.clip(net.conv(net.node("Relu", net.conv("x", 16)), 32, strides=[2, 2]))
    flat = net.node("Flatten", net.node("GlobalAveragePool", net.resize(hidden)))
    return net, net.model(net.gemm(flat, 10))


def detector():
    """Two heads, one decoded by anchors and a constant, of which coordinates get large."""
    net = Net(1, SHAPE)
    first = net.silu(net.conv("x", 16))
    joined = net.concat(first, net.silu(net.conv(first, 16)))
    boxes = anchors(net, net.conv(joined, 14, 1), 2, 8)
    size = net.constant("size", np.float32(640.0))
    return net, net.model(net.node("Mul", boxes, size), net.conv(joined, 4, 1))


def test_everything_but_inputs_and_outputs_is_float16():
    _, model = classifier()
    found = half(model)
    computed = types(found)
    assert {computed[node.name] for node in model.graph.node} == {"float16"}
    assert [node.input[0] for node in casts(found)] == ["x", "gemm7__half"]
    assert [o.version for o in found.opset_import if not o.domain] == [13]
    kinds = {name: value.dtype.name for name, value in constants(found).items()}
    assert kinds.pop("clip3_scales") == "float32"
    assert set(kinds.values()) == {"float16"}


def test_what_decodes_the_last_layers_is_float32():
    _, model = detector()
    computed = types(half(model))
    tail = {n.name for n in model.graph.node[-6:] if n.op_type != "Conv"}
    assert len(tail) == 5
    for node in model.graph.node:
        assert computed[node.name] == ("float32" if node.name in tail else "float16"), node.name


def test_float16_computes_what_float32_computes():
    for net, model in (classifier(), detector()):
        image = net.image()
        for wanted, found in zip(run(model, image), run(half(model), image), strict=True):
            assert found.dtype == np.float32
            assert 0.0 < np.abs(found - wanted).max() < 0.01 * np.abs(wanted).max()


def test_coordinates_keep_more_than_eleven_bits():
    net = Net(0, SHAPE)
    grid = net.constant("grid", np.linspace(600.0, 601.0, 64, dtype=np.float32).reshape(1, 1, 8, 8))
    net.weights["scale"] = np.float32(2.0**-14)
    last = net.node("Add", net.node("Mul", net.conv("x", 16, 1), "scale"), grid)
    net.channels[last] = 16
    model, image = net.model(last), net.image()
    (wanted,), (found,) = run(model, image), run(half(model), image)
    assert np.abs(found - wanted).max() < 1e-3
    assert np.abs(wanted.astype(np.float16) - wanted).max() > 0.2


def test_constants_beyond_float16_keep_their_node_in_float32():
    net = Net(0, SHAPE)
    scaled = net.node("Mul", net.conv("x", 16), net.constant("much", np.float32(70000.0)))
    shifted = net.node("Add", scaled, net.constant("little", np.float32(1e-12)))
    last = net.conv(net.node("Relu", shifted), 16)
    found = half(net.model(last))
    computed = types(found)
    names = [node.name for node in net.nodes]
    assert [computed[n] for n in names] == ["float16", "float32", "float32", "float16", "float16"]
    assert constants(found)["much"] == np.float32(70000.0)


def test_bounds_are_cut_off_at_the_ends_of_float16():
    net = Net(0, SHAPE)
    last = net.conv(net.clip(net.conv("x", 16), 0.0, 3.4e38), 16)
    found = half(net.model(last))
    assert set(types(found).values()) == {"float16", "float32"}
    assert types(found)["n_clip1"] == "float16"
    assert constants(found)["conv0_high__half"] == np.float16(65504.0)


def test_tensors_too_large_are_computed_in_float32():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    second = net.node("Relu", net.conv(first, 16))
    found = half(net.model(net.conv(second, 16)), {"conv2"})
    computed = types(found)
    names = [node.name for node in net.nodes]
    assert [computed[n] for n in names] == ["float16"] * 2 + ["float32"] * 2 + ["float16"]


def test_large_tensors_are_found_on_images():
    net = Net(0, SHAPE)
    scaled = net.node("Mul", "x", net.constant("much", np.float32(16000.0)))
    more = net.node("Mul", scaled, net.constant("more", np.float32(2.0)))
    endless = net.node("Mul", more, net.constant("most", np.float32(3e38)))
    model = net.model(endless)
    images = [np.full(SHAPE, value, np.float32) for value in (0.0, 1.0)]
    assert large_tensors(model, [[image] for image in images]) == {more, endless}
    assert large_tensors(model, [[images[0]]]) == set()


# Quantized graphs


def quantized(made):
    net, model = made()
    image = net.image()
    return image, lower(model, record(model, image))


@pytest.mark.parametrize("made", [classifier, detector])
def test_pairs_are_float16_and_nothing_parts_them_from_layers(made):
    _, lowered = quantized(made)
    found = half(lowered)
    assert [o.version for o in found.opset_import if not o.domain] == [19]
    types(found)
    graph, known = Graph(found), constants(found)
    for node in found.graph.node:
        if node.op_type in ("Conv", "Relu", "Clip"):
            assert not any(
                graph.producer[n].op_type == "Cast" for n in node.input if n in graph.producer
            ), node.name
    quantizes = [node for node in found.graph.node if node.op_type == "QuantizeLinear"]
    # The image is rounded as it comes.
    assert {n.input[0] for n in quantizes if known[n.input[1]].dtype == np.float32} == {"x"}
    float_scales = {
        n.name
        for n in found.graph.node
        if n.op_type == "DequantizeLinear" and known[n.input[1]].dtype == np.float32
    }
    assert float_scales == set()


@pytest.mark.parametrize("made", [classifier, detector])
def test_scales_are_those_of_the_float32_graph(made):
    _, lowered = quantized(made)
    own, found = constants(lowered), constants(half(lowered))
    scales = [name for name in own if name.endswith("__scale")]
    assert scales
    for name in scales:
        assert (found.get(f"{name}__half", found.get(name)) == own[name]).all()


@pytest.mark.parametrize("made", [classifier, detector])
def test_quantized_graph_computes_nearly_the_same(made):
    image, lowered = quantized(made)
    for wanted, found in zip(run(lowered, image), run(half(lowered), image), strict=True):
        spread = np.abs(wanted - wanted.mean()).mean()
        assert np.abs(found - wanted).mean() < 0.05 * spread


def test_codes_of_a_tensor_too_large_go_to_float32_without_a_cast():
    net = Net(0, SHAPE)
    first = net.node("Relu", net.conv("x", 16))
    last = net.conv(first, 16)
    model, image = net.model(last, net.node("Sigmoid", net.conv(first, 16))), net.image()
    found = half(lower(model, record(model, image)), {"conv2"})
    computed, graph = types(found), Graph(found)
    assert computed["n_conv2"] == "float32"
    (layer,) = (n for n in found.graph.node if n.name == "n_conv2")
    read, weight = (graph.producer[name] for name in layer.input[:2])
    assert read.op_type == weight.op_type == "DequantizeLinear"
    # Two layers read the same codes, each in its own type.
    other = next(n for n in found.graph.node if n.name == "n_conv3")
    assert graph.producer[other.input[0]].input[0] == read.input[0]
    assert computed["n_conv3"] == "float16"


def test_scale_that_float16_lacks_keeps_its_layers_in_float32():
    net = Net(0, SHAPE)
    small = net.node(
        "Mul", net.node("Relu", net.conv("x", 16)), net.constant("s", np.float32(1e-4))
    )
    last = net.conv(small, 16)
    model, image = net.model(net.node("Relu", last)), net.image()
    found = half(lower(model, record(model, image)))
    computed = types(found)
    assert computed[f"n_{small}"] == computed[f"n_{last}"] == "float32"
    assert computed["n_relu1"] == computed["n_relu4"] == "float16"
    (wanted,), (got,) = (run(m, image) for m in (model, found))
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()


def test_float16_form_is_executed_as_it_is_written(tmp_path):
    """Here and without optimizations: no kernel for integers is put in its place."""
    net, model = chain(0)
    image = net.image()
    found = half(lower(model, record(model, image)))
    onnx.save(found, str(tmp_path / "model.onnx"))
    runner = runtime("onnxruntime").prepare(tmp_path, device="cpu", precision="fp32", threads=1)
    assert runner.int8_convolutions() == 0
    for wanted, got in zip(run(found, image), runner.run([image]), strict=True):
        assert np.abs(got - wanted).mean() < 0.02 * np.abs(wanted - wanted.mean()).mean()


@settings(max_examples=30, deadline=None)
@given(STEPS, st.integers(0, 9), st.sets(st.integers(0, 30), max_size=3))
def test_any_graph_has_a_float16_form(steps, seed, places):
    """Whatever is too large: each node reads one type, no cast parts a pair from a layer."""
    model, image = built(steps, seed)
    names = [name for node in model.graph.node for name in node.output]
    large = {names[place % len(names)] for place in places}
    lowered = lower(model, record(model, image))
    found = half(lowered, large)
    computed, graph = types(found), Graph(found)
    writing = {name: node.name for node in model.graph.node for name in node.output}
    assert {computed[writing[name]] for name in large} <= {"float32"}
    for node in found.graph.node:
        if node.op_type == "Conv":
            read = [graph.producer[name].op_type for name in node.input[:2]]
            assert read == ["DequantizeLinear"] * 2
    (wanted,), (got,) = run(lowered, image), run(found, image)
    assert np.abs(got - wanted).mean() < 0.1 * np.abs(wanted - wanted.mean()).mean()


def test_operators_that_hold_graphs_are_refused():
    net = Net(0, SHAPE)
    last = net.conv("x", 16)
    model = net.model(last)
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(
        helper.make_node("If", ["c"], ["y"], "n_if", then_branch=branch, else_branch=branch)
    )
    with pytest.raises(StepError) as caught:
        half(model)
    assert str(caught.value) == (
        "the operator If (n_if) holds a graph of its own, which has no float16 form: export the"
        " model without loops and conditions"
    )


def test_tensor_of_unknown_type_is_refused():
    model = onnx.ModelProto()
    model.CopyFrom(Net(0, SHAPE).model())
    model.graph.node.append(helper.make_node("Own", ["x"], ["y"], "n_own", domain="own"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(StepError, match="the type of the tensor y is not known"):
        half(model)
