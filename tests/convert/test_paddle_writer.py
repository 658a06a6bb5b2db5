"""Paddle programs that oneDNN runs fast, and models that have none, in child processes."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from fqbench.convert.broadcasting import repeats_within
from fqbench.isolate.parent import _run, _Watch
from tests.support.onnx_graphs import Net
from tests.support.paddle import require_paddle

SHAPE = (1, 8, 6, 6)


def head(net: Net, source: str) -> str:
    """Boxes of a detector: anchors apart, channels last, parts of them scaled by constants."""
    names = {
        "apart": net.constant("apart", np.array([1, 2, 4, 6, 6])),
        "from_0": net.constant("from_0", np.array([0])),
        "to_2": net.constant("to_2", np.array([2])),
        "to_end": net.constant("to_end", np.array([2**31 - 1])),
        "last": net.constant("last", np.array([4])),
        "last_from_the_end": net.constant("last_from_the_end", np.array([-1])),
        "one": net.constant("one", np.array([1])),
        "two": net.constant("two", np.array([2])),
    }
    anchors = net.constant("anchors", net.random.normal(0, 1, (1, 2, 1, 1, 2)).astype(np.float32))
    apart = net.node("Reshape", source, names["apart"])
    boxes = net.node("Transpose", apart, perm=[0, 1, 3, 4, 2])
    first = net.node("Slice", boxes, names["from_0"], names["to_2"], names["last"], names["one"])
    rest = net.node(
        "Slice", boxes, names["to_2"], names["to_end"], names["last_from_the_end"], names["one"]
    )
    skipping = net.node(
        "Slice", boxes, names["from_0"], names["to_end"], names["last"], names["two"]
    )
    return net.node("Concat", net.node("Mul", first, anchors), rest, skipping, axis=4)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    """What conversion made of a shuffle and a detector's head, and what both runtimes computed."""
    require_paddle()
    net = Net(3, SHAPE)
    shuffled = net.shuffle(net.conv("x", 8), 6)
    model = net.model(head(net, shuffled), shuffled)
    folder = tmp_path_factory.mktemp("mended")
    image = net.image()
    onnx.save(model, str(folder / "source.onnx"))
    np.save(folder / "image.npy", image)
    arguments = {"folder": str(folder), "input_shape": list(SHAPE)}
    watch = _Watch("the test", timeout_s=120)
    made = _run(
        "tests.support.paddle_functions:convert_and_run", arguments, {"OMP_NUM_THREADS": "1"}, watch
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    made["expected"] = session.run(None, {"x": image})
    made["results"] = [np.load(folder / f"result_{n}.npy") for n in range(len(made["expected"]))]
    return made


@pytest.mark.slow
def test_results_are_those_of_onnx_runtime(found):
    for result, expected in zip(found["results"], found["expected"], strict=True):
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.slow
def test_shuffle_is_one_operator(found):
    kinds = found["operators"]
    assert kinds.count("shuffle_channel") == 1
    assert (kinds.count("reshape2"), kinds.count("transpose2")) == (1, 1)


@pytest.mark.slow
def test_only_slices_of_larger_strides_stay_strided(found):
    assert found["operators"].count("slice") == 2
    assert found["operators"].count("strided_slice") == 1


@pytest.mark.slow
def test_anchors_are_repeated_over_the_grid(found):
    assert [1, 2, 6, 6, 2] in found["constants"]
    assert [1, 2, 1, 1, 2] not in found["constants"]


@pytest.mark.slow
def test_results_are_not_copied_at_the_end(found):
    assert "scale" not in found["operators"]


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> dict:
    """What is said of models that have no form in Paddle."""
    require_paddle()
    folder = tmp_path_factory.mktemp("refused")
    image = [1, 3, 8, 8]
    cases = {
        "unknown": [helper.make_node("Det", ["x"], ["y"], "op")],
        "mode": [
            helper.make_node(
                *("Resize", ["x", "roi", "scales"], ["y"], "enlarge"),
                mode="linear",
                coordinate_transformation_mode="tf_crop_and_resize",
            )
        ],
        "computed": [
            helper.make_node("ReduceMax", ["x"], ["most"], "most", keepdims=0),
            helper.make_node("Cast", ["most"], ["axis"], "cast", to=onnx.TensorProto.INT64),
            helper.make_node("CumSum", ["x", "axis"], ["y"], "add_up"),
        ],
        "weight": [
            helper.make_node("Transpose", ["x"], ["t"], "turn", perm=[1, 0, 2, 3]),
            helper.make_node("Conv", ["x", "t"], ["y"], "match", group=3),
        ],
        "foreign": [helper.make_node("Gelu", ["x"], ["y"], "op", domain="com.microsoft")],
    }
    constants = {
        "roi": np.array([0, 0, 0, 0, 1, 1, 1, 1], np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    for name, nodes in cases.items():
        read = {each for node in nodes for each in node.input}
        made = helper.make_graph(
            nodes,
            "case",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, image)],
            [helper.make_empty_tensor_value_info("y")],
            [numpy_helper.from_array(v, k) for k, v in constants.items() if k in read],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(made, opset_imports=opsets), str(folder / f"{name}.onnx"))
    return _run(
        "tests.support.paddle_functions:refusals",
        {"folder": str(folder), "names": list(cases)},
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unknown", "fqbench has no form there of the operator Det"),
        ("mode", "Resize 'enlarge': mode tf_crop_and_resize has no form in Paddle"),
        ("computed", "CumSum 'add_up': its axis must be constant"),
        ("weight", "Conv 'match': its weight must be constant"),
        ("foreign", "fqbench has no form there of the operator Gelu"),
    ],
)
def test_what_has_no_form_is_refused_by_name(refused, name, reason):
    assert refused[name] == f"the model cannot be converted to Paddle: {reason}"


@pytest.mark.parametrize(
    ("constant", "shape", "within"),
    [
        ((1, 3, 1, 1, 2), (1, 3, 80, 80, 2), True),
        ((2, 1, 4), (2, 3, 4), True),
        ((1, 1, 80, 80, 2), (1, 3, 80, 80, 2), False),
        ((1, 3, 1, 1), (1, 3, 8, 8), False),
        ((1, 1, 1, 1), (1, 3, 8, 8), False),
        ((1, 3, 8, 8), (1, 3, 8, 8), False),
        ((1, 3, 1, 2), (1, 3, 1, 2), False),
        ((3,), (1, 3, 8, 3), False),
        ((1, 4, 1, 2), (1, 3, 8, 2), False),
        ((1, 3, 1, 2), (-1, 3, 8, 2), True),
    ],
)
def test_repeats_within(constant, shape, within):
    assert repeats_within(constant, shape) is within


@given(st.lists(st.integers(2, 4), min_size=1, max_size=5), st.data())
def test_constant_of_one_block_of_axes_does_not_repeat_within(shape, data):
    first = data.draw(st.integers(0, len(shape)))
    last = data.draw(st.integers(first, len(shape)))
    constant = [n if first <= axis < last else 1 for axis, n in enumerate(shape)]
    assert not repeats_within(constant, shape)
