"""Models as their files take images become graphs that take one image of float32.

Each is run beside its file, by the step that writes the canonical graph and here again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.convert.inputs import OwnInputs, with_own_input
from fqbench.errors import StepError
from fqbench.graph.executor import open_session, session_options
from fqbench.measure.cell_loading import Reading
from fqbench.pipeline.steps.graphs import own_inputs
from fqbench.spec import Preprocess
from fqbench.spec.inputs import ImageForm
from tests.support.jobs import do

SIDE = 8
PREPROCESS = Preprocess.model_validate({"resize": {"kind": "stretch", "size": [SIDE, SIDE]}})
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}
NCHW, NHWC = [1, 3, SIDE, SIDE], [1, SIDE, SIDE, 3]


def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], f"n_{output}", **attributes)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[str, list[Any]]],
    weights: dict[str, np.ndarray],
    *,
    outputs: str = "y",
    kind: str = "float32",
    opset: int = 13,
    ir: int = 8,
    weights_are_inputs: bool = False,
) -> onnx.ModelProto:
    """Weights are of the type that the model computes in, where they are floats."""
    described = [helper.make_tensor_value_info(n, TYPES[t], s) for n, (t, s) in inputs.items()]
    if weights_are_inputs:
        described += [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in weights.items()
        ]
    graph = helper.make_graph(
        nodes,
        "net",
        described,
        [helper.make_tensor_value_info(n, TYPES[kind], None) for n in outputs.split()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def conv_weights(kind: str = "float32") -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        "w": (random.normal(0, 0.3, (4, 3, 3, 3)) / 50).astype(kind),
        "b": random.normal(0, 0.3, 4).astype(kind),
    }


def network(source: str = "f", last: str = "y") -> list[onnx.NodeProto]:
    """A convolution of ``source``, and its mean over the image."""
    return [
        node("Conv", f"{source} w b", "c", kernel_shape=[3, 3], pads=[1] * 4),
        node("Relu", "c", "r"),
        node("GlobalAveragePool", "r", "g"),
        node("Flatten", "g", last),
    ]


def reading(*inputs: str, others: dict[str, Any] | None = None, **form: Any) -> Reading:
    return Reading.model_validate(
        {
            "preprocess": PREPROCESS,
            "inputs": inputs,
            "form": ImageForm(**form),
            "others": others or {},
        }
    )


def answers(model: onnx.ModelProto, feed: list[np.ndarray]) -> list[np.ndarray]:
    session = open_session(model.SerializeToString(), session_options(1))
    names = [value.name for value in session.get_inputs()]
    found: list[np.ndarray] = session.run(None, dict(zip(names, feed, strict=True)))
    return found


def canonical(folder: Path, model: onnx.ModelProto, own: Reading | None = None) -> onnx.ModelProto:
    """The graph that the step writes, which checks it."""
    onnx.save(model, str(folder / "source.onnx"))
    (folder / "made").mkdir()
    described = {} if own is None else {"own": own.model_dump(mode="json")}
    read = (own or reading("x")).plain.model_dump(mode="json")
    shape = [1, 3, SIDE, SIDE]
    source = [str(folder / "source.onnx")]
    do("canonical", folder / "made", source=source, input_shape=shape, reading=read, **described)
    return onnx.load(str(folder / "made" / "model.onnx"))


def image(seed: int = 0) -> np.ndarray:
    """Pixels, which uint8 holds, too."""
    found = np.random.default_rng(seed).integers(0, 256, (1, 3, SIDE, SIDE))
    return found.astype(np.float32)


def check_alike(
    model: onnx.ModelProto, graph: onnx.ModelProto, own: Reading, *beside: np.ndarray, off=1e-5
) -> None:
    """``graph`` takes float32 and answers as the file does."""
    first = graph.graph.input[0]
    assert first.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [d.dim_value for d in first.type.tensor_type.shape.dim] == [1, 3, SIDE, SIDE]
    feed = [image(), *beside]
    wanted = answers(model, own_inputs(own).feed(own.inputs, feed))
    for one, other in zip(wanted, answers(graph, feed), strict=True):
        assert other.dtype == (np.float32 if one.dtype == np.float16 else one.dtype)
        np.testing.assert_allclose(other, one, rtol=off, atol=off)


def kinds(model: onnx.ModelProto) -> list[str]:
    return [each.op_type for each in model.graph.node]


# Layouts and types.


def test_bytes_that_are_cast_flow_as_floats(tmp_path: Path) -> None:
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), *network()]
    model = model_of(nodes, {"x": ("uint8", NCHW)}, conv_weights())
    own = reading("x", type="uint8")
    graph = canonical(tmp_path, model, own)
    assert "Cast" not in kinds(graph)
    check_alike(model, graph, own)


def test_bytes_of_the_other_layout_flow_as_floats(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Cast", "t", "f", to=TensorProto.FLOAT),
        *network(),
    ]
    model = model_of(nodes, {"x": ("uint8", NHWC)}, conv_weights())
    own = reading("x", type="uint8", layout="nhwc")
    graph = canonical(tmp_path, model, own)
    assert kinds(graph)[0] == "Conv"
    check_alike(model, graph, own)


def test_bytes_that_are_computed_with_stay_bytes(tmp_path: Path) -> None:
    nodes = [
        node("Mul", "x two", "doubled"),  # which is beyond 255
        node("Cast", "doubled", "f", to=TensorProto.FLOAT),
        *network(),
    ]
    weights = {**conv_weights(), "two": np.array(2, np.uint8)}
    model = model_of(nodes, {"x": ("uint8", NCHW)}, weights, opset=14)
    own = reading("x", type="uint8")
    graph = canonical(tmp_path, model, own)
    assert kinds(graph)[:2] == ["Cast", "Mul"]
    check_alike(model, graph, own)


def test_channels_in_reverse_order_are_moved_only(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["red", "green", "blue"], "n_split", axis=3),
        node("Concat", "blue green red", "bgr", axis=3),
        node("Cast", "bgr", "cast", to=TensorProto.FLOAT),
        node("Transpose", "cast", "f", perm=[0, 3, 1, 2]),
        *network(),
    ]
    model = model_of(nodes, {"x": ("uint8", NHWC)}, conv_weights())
    own = reading("x", type="uint8", layout="nhwc")
    graph = canonical(tmp_path, model, own)
    assert "Cast" not in kinds(graph)
    check_alike(model, graph, own)


def test_normalization_inside_of_the_model_is_part_of_it(tmp_path: Path) -> None:
    nodes = [
        node("Cast", "x", "cast", to=TensorProto.FLOAT),
        node("Sub", "cast mean", "centred"),
        node("Div", "centred deviation", "scaled"),
        node("Transpose", "scaled", "f", perm=[0, 3, 1, 2]),
        *network(),
    ]
    weights = {
        **conv_weights(),
        "mean": np.array([123.7, 116.3, 103.5], np.float32),
        "deviation": np.array([58.4, 57.1, 57.4], np.float32),
    }
    model = model_of(nodes, {"x": ("uint8", NHWC)}, weights)
    own = reading("x", type="uint8", layout="nhwc")
    check_alike(model, canonical(tmp_path, model, own), own)


def test_floats_of_the_other_layout_and_a_free_batch(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "f", perm=[0, 3, 1, 2]), *network()]
    model = model_of(nodes, {"x": ("float32", ["n", SIDE, SIDE, 3])}, conv_weights())
    own = reading("x", layout="nhwc")
    graph = canonical(tmp_path, model, own)
    assert kinds(graph)[0] == "Conv"
    check_alike(model, graph, own)


def test_a_graph_inside_reads_the_image_as_it_was(tmp_path: Path) -> None:
    held = helper.make_tensor_value_info("inner", TensorProto.FLOAT, NHWC)
    branches = [
        helper.make_graph([node(kind, "x x", "inner")], kind, [], [held]) for kind in ("Add", "Mul")
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
        node("Greater", "largest limit", "bright"),
        node("If", "bright", "t", then_branch=branches[0], else_branch=branches[1]),
        node("Transpose", "t", "f", perm=[0, 3, 1, 2]),
        *network(),
    ]
    weights = {**conv_weights(), "limit": np.array(100, np.float32)}
    model = model_of(nodes, {"x": ("float32", NHWC)}, weights)
    own = reading("x", layout="nhwc")
    check_alike(model, canonical(tmp_path, model, own), own)


# Floats of 16 bits.


@pytest.mark.parametrize("ends", ["float16", "float32"])
def test_floats_of_16_bits_are_computed_with_in_float32(tmp_path: Path, ends: str) -> None:
    nodes = network("x")
    if ends == "float32":
        nodes = [
            node("Cast", "x", "f", to=TensorProto.FLOAT16),
            *network("f", "h"),
            node("Cast", "h", "y", to=TensorProto.FLOAT),
        ]
    model = model_of(nodes, {"x": (ends, NCHW)}, conv_weights("float16"), kind=ends)
    own = reading("x", type=ends)
    graph = canonical(tmp_path, model, own)
    assert "Cast" not in kinds(graph)
    assert {tensor.data_type for tensor in graph.graph.initializer} == {TensorProto.FLOAT}
    check_alike(model, graph, own, off=1e-2)


def test_constants_and_attributes_name_floats_of_16_bits(tmp_path: Path) -> None:
    held = numpy_helper.from_array(np.full(1, 2, np.float16), "held")
    nodes = [
        helper.make_node("Constant", [], ["two"], "n_two", value=held),
        node("Cast", "x", "h", to=TensorProto.FLOAT16),
        node("Mul", "h two", "m"),
        node("ConstantOfShape", "shape", "ones", value=helper.make_tensor("v", 10, [1], [1.0])),
        node("Add", "m ones", "f"),
        *network(),
    ]
    weights = {**conv_weights("float16"), "shape": np.array([1, 3, 1, 1])}
    model = model_of(nodes, {"x": ("float32", NCHW)}, weights, kind="float16")
    own = reading("x")
    check_alike(model, canonical(tmp_path, model, own), own, off=1e-2)


def test_bytes_become_floats_of_16_bits(tmp_path: Path) -> None:
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT16), *network()]
    model = model_of(nodes, {"x": ("uint8", NCHW)}, conv_weights("float16"), kind="float16")
    own = reading("x", type="uint8")
    graph = canonical(tmp_path, model, own)
    assert "Cast" not in kinds(graph)
    check_alike(model, graph, own, off=1e-2)


# Other inputs.


def with_size(kind: str = "int64", shape: tuple[Any, ...] = (1, 2), moved: int = TensorProto.FLOAT):
    """``network`` of x, and what it gives times an input ``size``, as detectors scale boxes."""
    nodes = network("x", "p")
    nodes += [
        node("Cast", "size", "s", to=moved),
        node("Concat", "s s", "s4", axis=1),
        node("Mul", "p s4", "y"),
    ]
    inputs = {"size": (kind, list(shape)), "x": ("float32", NCHW)}
    return model_of(nodes, inputs, conv_weights())


@pytest.mark.parametrize(("kind", "shape"), [("int64", (1, 2)), ("float32", ("n", 2))])
def test_what_is_the_same_for_all_images_becomes_a_constant(tmp_path, kind, shape) -> None:
    model = with_size(kind, shape)
    size = {"fill": {"kind": "input_size", "order": "wh"}, "type": kind, "shape": (1, 2)}
    own = reading("size", "x", others={"size": size})
    graph = canonical(tmp_path, model, own)
    assert [value.name for value in graph.graph.input] == ["x"]
    check_alike(model, graph, own)


def test_what_differs_between_images_stays_an_input(tmp_path: Path) -> None:
    model = with_size("int64", ("n", 2))
    size = {"fill": {"kind": "image_size", "order": "wh"}, "type": "int64", "shape": (1, 2)}
    own = reading("size", "x", others={"size": size})
    graph = canonical(tmp_path, model, own)
    described = [value.type.tensor_type for value in graph.graph.input]
    assert [kind.elem_type for kind in described] == [TensorProto.INT64, TensorProto.FLOAT]
    assert [d.dim_value for d in described[0].shape.dim] == [1, 2]
    feed = [np.array([[640, 480]]), image()]
    np.testing.assert_allclose(answers(graph, feed)[0], answers(model, feed)[0], rtol=1e-5)


# A batch that is fixed.


def batched(*, baked: bool, mixing: bool = False) -> onnx.ModelProto:
    """Of four images: reshaped to rows by a shape that is ``baked`` in, or computed."""
    nodes = [node("Conv", "x w b", "c", kernel_shape=[3, 3], pads=[1] * 4)]
    weights: dict[str, np.ndarray] = {**conv_weights(), "four": np.array([4]), "all": -np.ones(1)}
    weights["all"] = np.array([-1])
    if baked:
        weights["rows"] = np.array([4, 4, -1])
    else:
        weights |= {"zero": np.array([0]), "channels": np.array([4])}
        nodes += [
            node("Shape", "c", "s"),
            node("Gather", "s zero", "n"),
            node("Concat", "n channels all", "rows", axis=0),
        ]
    nodes.append(node("Reshape", "c rows", "r"))
    weights["grid"] = np.repeat(np.random.default_rng(1).normal(0, 1, (1, 4, 2)), 4, axis=0)
    weights["grid"] = weights["grid"].astype(np.float32)
    nodes.append(node("Concat", "r grid", "m" if mixing else "y", axis=2))
    if mixing:
        nodes += [node("ReduceMean", "m", "mean", axes=[0]), node("Sub", "m mean", "y")]
    return model_of(nodes, {"x": ("float32", [4, 3, SIDE, SIDE])}, weights)


@pytest.mark.parametrize("baked", [True, False])
def test_a_fixed_batch_becomes_one_image(tmp_path: Path, baked: bool) -> None:
    model = batched(baked=baked)
    graph = canonical(tmp_path, model, reading("x", batch=4))
    images = [image(seed) for seed in range(4)]
    together = answers(model, [np.concatenate(images)])[0]
    for number, each in enumerate(images):
        found = answers(graph, [each])[0]
        np.testing.assert_allclose(found[0], together[number], rtol=1e-5, atol=1e-4)


def test_a_batch_whose_images_are_mixed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        canonical(tmp_path, batched(baked=False, mixing=True), reading("x", batch=4))
    text = str(caught.value)
    assert text.startswith(
        "the batch of the model is fixed to 4, and it cannot be made one image (the model cannot"
        " take 4 images at once: "
    )
    assert text.endswith("): export it with batch 1 or a free batch")
    assert not (tmp_path / "made" / "model.onnx").exists()


@pytest.mark.parametrize("fill", ["image_size", "input_size"])
def test_a_batch_of_bytes_with_sizes_beside(tmp_path: Path, fill: str) -> None:
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), *network(last="p")]
    nodes += [node("Concat", "size size", "s4", axis=1), node("Mul", "p s4", "y")]
    inputs = {"x": ("uint8", [2, 3, SIDE, SIDE]), "size": ("float32", [2, 2])}
    model = model_of(nodes, inputs, conv_weights())
    size = {"fill": {"kind": fill}, "type": "float32", "shape": (2, 2)}
    own = reading("x", "size", type="uint8", batch=2, others={"size": size})
    graph = canonical(tmp_path, model, own)
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.graph.input]
    assert shapes == [[1, 3, SIDE, SIDE], [1, 2]][: 2 if fill == "image_size" else 1]


# Weights that are inputs, too.


@pytest.mark.parametrize(("ir", "opset"), [(3, 7), (3, 8), (4, 9), (8, 13)])
def test_weights_that_are_inputs_are_weights(tmp_path: Path, ir: int, opset: int) -> None:
    nodes = network("x")
    nodes[1:1] = [node("BatchNormalization", "c s o m v", "n")]
    nodes[2].input[0] = "n"
    weights = {
        **conv_weights(),
        **{name: np.linspace(0.5, 1.5, 4).astype(np.float32) for name in "somv"},
    }
    model = model_of(
        nodes, {"x": ("float32", NCHW)}, weights, ir=ir, opset=opset, weights_are_inputs=True
    )
    graph = canonical(tmp_path, model)
    assert [value.name for value in graph.graph.input] == ["x"]
    assert kinds(graph)[:2] == ["Conv", "Relu"]
    check_alike(model, graph, reading("x"))


# What is deployed.


@pytest.mark.parametrize(
    "form",
    [
        {"type": "uint8"},
        {"layout": "nhwc"},
        {"type": "float16", "layout": "nhwc"},
        {"type": "uint8", "layout": "nhwc"},
    ],
    ids=str,
)
def test_a_graph_with_the_input_of_its_file_answers_alike(form: dict[str, Any]) -> None:
    model = model_of(network("x"), {"x": ("float32", NCHW)}, conv_weights())
    own = OwnInputs("x", ImageForm(**form), {})
    written = with_own_input(model, "x", own.form)
    taken = own.feed(["x"], [image()])
    assert taken[0].shape == tuple(NHWC if "layout" in form else NCHW)
    wanted = answers(model, [image()])[0]
    np.testing.assert_allclose(answers(written, taken)[0], wanted, rtol=1e-6, atol=1e-6)
