"""Rewritten models are run beside their sources: right ones pass, wrong ones are named."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from fqbench.backends.tensorrt.half import half
from fqbench.convert.canonical import canonicalize
from fqbench.errors import StepError
from fqbench.isolate.parent import _run, _Watch
from fqbench.verify.conversion import (
    bound_of,
    check_canonical,
    check_half,
    compared,
    graph_runner,
)
from fqbench.verify.difference import ROUNDED
from fqbench.verify.graphs import first_of, first_operator, jumping, prefix, shared_names
from fqbench.verify.noise import noise
from tests.support.best_rows import best_rows
from tests.support.jobs import perform
from tests.support.onnx_graphs import Net
from tests.support.operator_graphs import f, one
from tests.support.paddle import needs_paddle

SHAPE = (1, 3, 16, 16)


def network() -> onnx.ModelProto:
    """Two convolutions, a pooling, an enlargement and logits."""
    net = Net(2, SHAPE)
    hidden = net.node("Relu", net.conv("x", 8))
    pooled = net.average(net.clip(net.conv(hidden, 8)))
    return net.model(net.conv(net.resize(pooled), 6))


def sabotaged(model: onnx.ModelProto, name: str, change) -> onnx.ModelProto:
    """``model`` with its node ``name`` changed."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    change(next(node for node in result.graph.node if node.name == name))
    return result


def leaky(node):
    node.op_type = "LeakyRelu"


def named(model, kind):
    return next(node.name for node in model.graph.node if node.op_type == kind)


def scaled(model: onnx.ModelProto, weight: str, factor: float) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tensor = next(t for t in result.graph.initializer if t.name == weight)
    values = numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(numpy_helper.from_array(values, weight))
    return result


def test_canonical_graph_passes():
    model = network()
    canonical = canonicalize(model, SHAPE)
    check_canonical(model, canonical, noise(canonical))


def test_wrong_canonical_graph_is_refused_and_its_operator_named():
    model = network()
    canonical = canonicalize(model, SHAPE)
    relu = named(canonical, "Relu")
    wrong = sabotaged(canonical, relu, leaky)
    with pytest.raises(StepError) as caught:
        check_canonical(model, wrong, noise(canonical))
    text = str(caught.value)
    assert text.startswith("the canonical graph computes something else than the model's file: ")
    assert " of its deviation" in text
    assert text.endswith(f"; the first operator that differs is LeakyRelu {relu!r}")


def test_a_weight_that_is_one_percent_off_is_refused():
    model = network()
    canonical = canonicalize(model, SHAPE)
    last = canonical.graph.node[-1]
    with pytest.raises(StepError, match=f"the first operator that differs is Conv '{last.name}'"):
        check_canonical(model, scaled(canonical, last.input[1], 1.01), noise(canonical))


def test_graph_that_rounds_by_pairs_is_given_room():
    net = Net(3, SHAPE)
    scale = net.constant("scale", np.float32(0.1))
    codes = net.node("QuantizeLinear", net.conv("x", 8), scale)
    model = net.model(net.node("DequantizeLinear", codes, scale))
    assert bound_of(model) == ROUNDED
    assert jumping(model.graph) == frozenset()
    check_canonical(model, scaled(model, "w0", 1.01), noise(model))
    with pytest.raises(StepError, match="is off by"):
        check_canonical(model, scaled(model, "w0", -1.0), noise(model))


def test_noise_is_of_the_inputs_types():
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("size", onnx.TensorProto.INT64, [1, 2]))
    for image, size in noise(model):
        assert (image.dtype, image.shape) == (np.float32, SHAPE)
        assert (size.dtype, size.tolist()) == (np.int64, [[1, 1]])


def test_operator_without_a_common_name_is_not_named():
    model = network()
    canonical = canonicalize(model, SHAPE)
    renamed = scaled(canonical, canonical.graph.node[-1].input[1], 2.0)
    for node in renamed.graph.node:
        node.input[:] = [f"{n}_new" if n and n != "x" else n for n in node.input]
        node.output[:] = [f"{n}_new" for n in node.output]
    for value in (*renamed.graph.output, *renamed.graph.initializer):
        value.name += "_new"
    del renamed.graph.value_info[:]
    with pytest.raises(StepError, match=r"is off by .* of its deviation$"):
        check_canonical(model, renamed, noise(canonical))


def test_float16_form_passes_and_a_wrong_one_does_not():
    model = canonicalize(network(), SHAPE)
    rounded = half(model)
    check_half(model, rounded, noise(model))
    wrong = sabotaged(rounded, named(rounded, "Relu"), lambda n: setattr(n, "op_type", "Neg"))
    with pytest.raises(StepError, match="the first operator that differs is Neg 'n_relu1'"):
        check_half(model, wrong, noise(model))


def tokens_reshaped_by(name):
    """A matrix product of tokens behind a Reshape whose shape is the constant ``name``."""
    values = {"w": np.eye(8, dtype=np.float32), "b": np.ones(8, np.float32)}
    values[name] = np.array([1, 4, 8], np.int64)
    nodes = [
        helper.make_node("Reshape", ["x", name], ["tokens"], "reshape"),
        helper.make_node("MatMul", ["tokens", "w"], ["product"], "product"),
        helper.make_node("Add", ["product", "b"], ["y"], "sum"),
    ]
    ends = [
        helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, shape)
        for end, shape in (("x", [1, 32]), ("y", [1, 4, 8]))
    ]
    constants = [numpy_helper.from_array(value, key) for key, value in values.items()]
    graph = helper.make_graph(nodes, "tokens", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def test_float16_form_is_checked_where_the_optimizer_takes_a_name_for_its_own():
    """ONNX Runtime calls a constant of its own so, and does not look whether there is one."""
    model = tokens_reshaped_by("shape")
    check_half(model, tokens_reshaped_by("gemm_input_shape"), noise(model))


def test_prefix_returns_what_is_read_later():
    model = canonicalize(network(), SHAPE)
    for count in range(1, 1 + len(model.graph.node)):
        part = prefix(model, count)
        onnx.checker.check_model(part, full_check=True)
        assert len(part.graph.node) == count
        assert [v.name for v in part.graph.output] == [model.graph.node[count - 1].output[0]]


@pytest.mark.parametrize("wrong", range(1, 8))
def test_first_operator_is_found_by_bisection(wrong):
    net = Net(1, SHAPE)
    name = "x"
    for _ in range(7):
        name = net.node("Relu", name)
    asked = []

    def differs(part):
        asked.append(len(part.graph.node))
        return len(part.graph.node) >= wrong

    assert first_operator(net.model(name), differs) == f"Relu 'n_relu{wrong - 1}'"
    assert len(asked) <= 3


def test_names_that_became_identifiers_are_shared():
    net = Net(1, SHAPE)
    model = net.model(net.node("Relu", net.node("Neg", "x")))
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "a/b:0"
    found = shared_names(model, canonicalize(model, SHAPE))
    assert found == {"a_b_0": "a/b:0", "relu1": "relu1"}
    assert first_of(model, {"relu1"}) == "Relu 'n_relu1'"


@pytest.mark.parametrize(
    ("kind", "attributes", "jumps"),
    [
        ("ArgMax", {"axis": 1}, True),
        ("Floor", {}, True),
        ("Cast", {"to": onnx.TensorProto.INT64}, True),
        ("Cast", {"to": onnx.TensorProto.FLOAT16}, False),
        ("Softmax", {}, False),
        ("Round", {}, True),
        ("Shape", {}, False),
    ],
)
def test_outputs_that_jump(kind, attributes, jumps):
    model = one(kind, **attributes)
    model.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))
    assert jumping(model.graph) == ({"y", "z"} if jumps else set())


def test_constants_do_not_jump():
    model = one("Add", f(1.5))
    model.graph.node.insert(0, helper.make_node("Floor", ["k0"], ["whole"]))
    assert jumping(model.graph) == frozenset()


@pytest.mark.slow
@needs_paddle
def test_wrong_paddle_program_is_refused_and_its_operator_named(tmp_path):
    model = one("Softsign")
    model.graph.node.append(helper.make_node("Abs", ["y"], ["z"], "last"))
    model.graph.output[0].name = "z"
    onnx.save(model, str(tmp_path / "source.onnx"))
    perform("canonical", tmp_path, source=[str(tmp_path / "source.onnx")], input_shape=[1, 4, 8, 8])
    perform("converted", tmp_path, canonical=str(tmp_path), backend="paddle")
    assert (tmp_path / "model.pdmodel").is_file()
    said = _run(
        "tests.support.paddle_functions:convert_wrongly",
        {"folder": str(tmp_path), "kind": "Softsign"},
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )
    assert said.startswith(
        "the Paddle program computes something else than the ONNX graph it was made from: output"
    )
    assert said.endswith("; the first operator that differs is Softsign 'op'")


def test_rows_at_the_end_may_change_places_where_scores_are_almost_equal():
    """As float32 in another order of additions changes them, where all of 300 are likely."""
    net, model = best_rows()
    head = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    likely = scaled(model, head.input[1], 1e-4)
    feeds, run = [[net.image()] for _ in range(2)], graph_runner(likely, optimized=True)

    def exchanged(feed):
        (rows,) = run(feed)
        neighbours = rows.reshape(1, -1, 2, 6)[:, :, ::-1].reshape(rows.shape)
        return [np.concatenate([neighbours[..., :4], rows[..., 4:]], axis=2)]

    assert compared(likely, run, exchanged, feeds) is None
    assert compared(likely, run, lambda feed: [exchanged(feed)[0] + 5], feeds).off == 1.0
