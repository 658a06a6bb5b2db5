from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fqbench.errors import UsageError
from fqbench.graph.checking import unreadable_version
from fqbench.isolate.parent import _run, _Watch
from fqbench.spec import Decode, Int8File, ModelSpec
from fqbench.spec.check import ModelFacts, check_model, compare
from fqbench.spec.inputs import ImageForm
from fqbench.spec.inspect import AGAIN, BY_PADDLE, inspect_onnx
from fqbench.spec.load import load_spec
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.settings import PPYoloe, YoloV5, YoloX
from fqbench.tasks.shared import PythonDecoder, Undecoded
from tests.support.external_data import DATA, refer, split
from tests.support.paddle import require_paddle

IMAGE = {"x": [1, 3, 8, 16]}
FILE = Path("net.onnx")


def make_spec(
    decode: Decode | None = None,
    *,
    model: Path = FILE,
    params: Path | None = None,
    image_input: str | None = None,
    color: str = "rgb",
) -> ModelSpec:
    decode = decode or Logits(kind="logits")
    dataset: dict[str, Any] = {"kind": "imagenet", "images": "i", "list": "list.txt"}
    if decode.kind != "logits":
        dataset = {"kind": "coco", "images": "i", "annotations": "a.json"}
    if decode.kind == "none":
        dataset = {"kind": "folder", "images": "i"}
    return ModelSpec.model_validate(
        {
            "name": "net",
            "task": "classification" if decode.kind == "logits" else "detection",
            "model": model,
            "params": params,
            "input": image_input,
            "preprocess": {"resize": {"kind": "stretch", "size": [8, 16]}, "color": color},
            "decode": decode,
            "dataset": dataset,
            "calibration": {"images": "c"},
        }
    )


def refusal(spec: ModelSpec, inputs: dict[str, list[int]], *outputs: list[int]) -> str:
    with pytest.raises(UsageError) as caught:
        compare(spec, inputs, {f"out{i}": shape for i, shape in enumerate(outputs)})
    return str(caught.value)


LOGITS = [1, 10]
CLASSES = Logits(kind="logits")
YOLOV5 = YoloV5(kind="yolov5")
YOLOX = YoloX(kind="yolox", strides=(4, 8))
PPYOLOE = PPYoloe(kind="ppyoloe")
OWN = PythonDecoder(kind="python", function="module:read")
NONE = Undecoded(kind="none")


@pytest.mark.parametrize(
    "shape", [[1, 3, 8, 16], [-1, 3, 8, 16], [1, 3, -1, -1], [-1, -1, -1, -1]], ids=str
)
def test_free_sizes_fit_anything(shape: list[int]) -> None:
    assert compare(make_spec(), {"x": shape}, {"out": LOGITS}) == ModelFacts(("x",), "x", 10)


@pytest.mark.parametrize(
    ("shape", "shown", "see"),
    [
        ([1, 3, 8, 8], "[1, 3, 8, 8]", "see preprocess.resize.size"),
        ([1, 3, -1, 8], "[1, 3, ?, 8]", "see preprocess.resize.size"),
        ([1, 1, 8, 16], "[1, 1, 8, 16]", "see preprocess.color"),
        ([1, 1, 16, 8], "[1, 1, 16, 8]", "see preprocess.color, see preprocess.resize.size"),
        ([3, 8, 16], "[3, 8, 16]", "expected batch, channels, height and width"),
    ],
)
def test_a_shape_that_does_not_fit(shape: list[int], shown: str, see: str) -> None:
    assert refusal(make_spec(), {"x": shape}, LOGITS) == (
        f"net.onnx: input 'x' has shape {shown}, the spec of net makes [1, 3, 8, 16]: {see}"
    )


@pytest.mark.parametrize("outputs", [[[1, 10]], [[1, 3, 80, 80, 85], [-1, -1]], [[]]], ids=str)
def test_any_outputs_fit_where_none_is_read(outputs: list[list[int]]) -> None:
    named = {f"out{i}": shape for i, shape in enumerate(outputs)}
    assert compare(make_spec(NONE), IMAGE, named) == ModelFacts(("x",), "x", None)


def test_gray_has_one_channel() -> None:
    spec = make_spec(color="gray")
    assert compare(spec, {"x": [1, 1, 8, 16]}, {"out": LOGITS}).image_input == "x"


def test_a_wrong_input_name() -> None:
    two = {**IMAGE, "y": [1, 2]}
    assert refusal(make_spec(image_input="images"), two, LOGITS) == (
        "net.onnx: the spec's key input is 'images', the model has: x, y"
    )


def test_an_input_must_be_named_where_there_are_two() -> None:
    two = {**IMAGE, "y": [1, 3, 4, 4]}
    assert refusal(make_spec(), two, LOGITS) == (
        "net.onnx: the model has the inputs x, y: name the image by the key input"
    )
    assert refusal(make_spec(), {}, LOGITS) == (
        "net.onnx: the model has the inputs none: name the image by the key input"
    )


@pytest.mark.parametrize(
    ("decode", "image", "other"),
    [(PPYOLOE, "x", "y"), (CLASSES, "x", "scale_factor"), (YOLOV5, None, "scale_factor")],
    ids=["other input", "other decoder", "not named"],
)
def test_an_input_that_nothing_fills(decode: Decode, image: str | None, other: str) -> None:
    spec = make_spec(decode, image_input=image)
    assert refusal(spec, {**IMAGE, other: [1, 2]}, [1, 10, 9]) == (
        f"net.onnx: nothing fills the input '{other}' (float32 [1, 2]): set the key"
        f" other_inputs.{other} to {{kind: constant, value: ...}}, or kind image_size, input_size"
        " or scale_factor with order hw or wh"
    )


@pytest.mark.parametrize("decode", [PPYOLOE, OWN, NONE], ids=lambda decode: decode.kind)
@pytest.mark.parametrize("shape", [[1, 2], [-1, 2], [-1, -1]], ids=str)
def test_scale_factor_comes_with_the_image(decode: Decode, shape: list[int]) -> None:
    facts = compare(make_spec(decode), {"scale_factor": shape, **IMAGE}, {"out": [-1, 6]})
    assert facts == ModelFacts(("scale_factor", "x"), "x", None)


def test_scale_factor_has_two_values() -> None:
    inputs = {**IMAGE, "scale_factor": [1, 4]}
    assert refusal(make_spec(PPYOLOE), inputs, [-1, 6]) == (
        "net.onnx: input 'scale_factor' has shape [1, 4], expected [1, 2]: say by the key"
        " other_inputs.scale_factor what fills it"
    )


@pytest.mark.parametrize(
    ("decode", "outputs", "classes"),
    [
        (CLASSES, [[1, 10]], 10),
        (CLASSES, [[-1, 10]], 10),
        (CLASSES, [[1, 10, 1, 1]], 10),
        (CLASSES, [[-1, -1]], None),
        (YOLOV5, [[1, 10, 15]], 10),
        (YOLOV5, [[-1, -1, 6]], 1),
        (YOLOV5, [[1, -1, -1]], None),
        # 2 * 4 cells of 4 pixels and 1 * 2 of 8 pixels
        (YOLOX, [[1, 10, 9]], 4),
        (YOLOX, [[1, -1, 9]], 4),
        (PPYOLOE, [[-1, 6], [-1]], None),
        (PPYOLOE, [[1, 21, 4], [1, 10, 21]], 10),
        (PPYOLOE, [[1, 21, 4], [1, -1, 21]], None),
        (PPYOLOE, [[1, 21, 14]], 10),
        (OWN, [[1], [2], [3]], None),
    ],
)
def test_classes_are_read_from_the_outputs(
    decode: Decode, outputs: list[list[int]], classes: int | None
) -> None:
    named = {f"out{i}": shape for i, shape in enumerate(outputs)}
    assert compare(make_spec(decode), IMAGE, named).classes == classes


@pytest.mark.parametrize(
    ("decode", "outputs", "shown", "needs"),
    [
        (CLASSES, [[1, 10], [1, 4]], "[1, 10], [1, 4]", "one of [1, classes]"),
        (CLASSES, [[1, 10, 7, 7]], "[1, 10, 7, 7]", "one of [1, classes]"),
        (CLASSES, [[8, 10]], "[8, 10]", "one of [1, classes]"),
        (CLASSES, [[10]], "[10]", "one of [1, classes]"),
        (CLASSES, [], "none", "one of [1, classes]"),
        (YOLOV5, [[1, 3, 8, 8, 15]], "[1, 3, 8, 8, 15]", "one of [1, n, 5 + classes]"),
        (YOLOV5, [[1, 7, 5]], "[1, 7, 5]", "one of [1, n, 5 + classes]"),
        (YOLOV5, [[2, -1, 15]], "[2, ?, 15]", "one of [1, n, 5 + classes]"),
        (YOLOX, [[1, 10, 9]] * 2, "[1, 10, 9], [1, 10, 9]", "one of [1, n, 5 + classes]"),
        (PPYOLOE, [[1], [1], [1]], "[1], [1], [1]", "boxes, and their scores or their count"),
    ],
)
def test_outputs_that_the_decoder_cannot_read(
    decode: Decode, outputs: list[list[int]], shown: str, needs: str
) -> None:
    assert refusal(make_spec(decode), IMAGE, *outputs) == (
        f"net.onnx: the outputs have shapes {shown}, decode.kind '{decode.kind}' needs {needs}"
    )


def test_rows_must_fit_the_strides() -> None:
    assert refusal(make_spec(YOLOX), IMAGE, [1, 11, 9]) == (
        "net.onnx: the output has 11 rows, decode.strides [4, 8] make 10"
    )


def network(data_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A classifier of ten classes whose batch is free; its weight is an input, too."""
    image = helper.make_tensor_value_info("x", data_type, ["n", 3, 8, 16])
    logits = helper.make_tensor_value_info("logits", data_type, ["n", 10])
    numpy_type = helper.tensor_dtype_to_np_dtype(data_type)
    weight = numpy_helper.from_array(np.ones((10, 3), numpy_type), "weight")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight"], ["logits"], transB=1),
    ]
    shown = helper.make_tensor_value_info("weight", data_type, [10, 3])
    graph = helper.make_graph(nodes, "net", [image, shown], [logits], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def written(tmp_path: Path, content: bytes | onnx.ModelProto) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def onnx_refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        inspect_onnx({"model": str(path)}, lambda done, total: None)
    return str(caught.value).removeprefix(str(path))


def test_a_good_file_is_checked_in_a_child_process(tmp_path: Path) -> None:
    spec = make_spec(model=written(tmp_path, network()))
    assert check_model(spec) == ModelFacts(("x",), "x", 10)


def test_a_mistake_found_by_the_child_is_told_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, b"no model\n")
    with pytest.raises(UsageError) as caught:
        check_model(make_spec(model=path))
    assert str(caught.value) == f"{path} is not a whole ONNX model: it is a text file: {AGAIN}"


@pytest.mark.parametrize(
    ("content", "guess"),
    [
        (b"no model\n", f"it is a text file: {AGAIN}"),
        (b"", f"it is empty: {AGAIN}"),
        (b"PK\x03\x04" + bytes(99), f"it is a zip archive, as PyTorch's own files are: {AGAIN}"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
            "it is a pointer of Git LFS, get the file itself by git lfs pull",
        ),
        (bytes(range(256)), f"it is cut off, damaged or of another format: {AGAIN}"),
    ],
    ids=["text", "empty", "zip", "lfs", "bytes"],
)
def test_no_onnx_file(tmp_path: Path, content: bytes, guess: str) -> None:
    assert onnx_refusal(written(tmp_path, content)) == f" is not a whole ONNX model: {guess}"


def test_a_cut_onnx_file(tmp_path: Path) -> None:
    content = network().SerializeToString()
    for size in (len(content) // 2, len(content) - 1):
        assert onnx_refusal(written(tmp_path, content[:size])) == (
            f" is not a whole ONNX model: it is cut off, damaged or of another format: {AGAIN}"
        )


def test_a_broken_graph(tmp_path: Path) -> None:
    model = network()
    model.graph.node[2].input[0] = "nowhere"
    assert onnx_refusal(written(tmp_path, model)).startswith(
        " is not a valid ONNX model: Nodes in a graph must be topologically sorted"
    )


@pytest.mark.usefixtures("models_read_here")
def test_types_of_inputs_and_floats_of_16_bits_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, network(TensorProto.FLOAT16))
    found = inspect_onnx({"model": str(path)}, lambda done, total: None)
    assert (found["types"], found["half"]) == ({"x": "float16"}, True)
    facts = check_model(make_spec(model=path))
    assert facts.form == ImageForm(type="float16")
    assert facts.notes == ("what it holds in float16 is computed in float32",)


def quantized() -> onnx.ModelProto:
    """``network`` whose weight is stored in codes, of an opset that knows no scale per channel."""
    model = network()
    del model.graph.initializer[:], model.graph.input[1:]
    codes = numpy_helper.from_array(np.ones((10, 3), np.int8), "codes")
    scale = numpy_helper.from_array(np.ones(10, np.float32), "scale")
    model.graph.initializer.extend([codes, scale])
    node = helper.make_node("DequantizeLinear", ["codes", "scale"], ["weight"], axis=0)
    model.graph.node.insert(0, node)
    model.opset_import[0].version = 11
    return model


@pytest.mark.usefixtures("models_read_here")
@pytest.mark.parametrize("opset", [11, 13])
def test_a_quantized_model_is_told_and_measured_as_int8_only(tmp_path: Path, opset: int) -> None:
    model = quantized()
    model.opset_import[0].version = opset
    path = written(tmp_path, model)
    told = (
        " is quantized already (DequantizeLinear): give the float model as model, and this file as"
        " int8.model, by which fqbench run measures it beside that"
    )
    refused = onnx_refusal(path)
    if opset < 13:  # whose DequantizeLinear has no axis
        assert refused.startswith(f"{told}; no runtime loads it as it is (Unrecognized attribute")
        assert refused.endswith("): quantize it for opset 13 or later")
        return
    assert refused == told
    float_model = tmp_path / "float.onnx"
    float_model.write_bytes(network().SerializeToString())
    spec = make_spec(model=float_model).model_copy(update={"int8": Int8File(model=path)})
    facts = check_model(spec)
    assert facts.int8 is not None
    assert facts.int8.inputs == ("x",)


@pytest.mark.usefixtures("models_read_here")
def test_an_int8_file_of_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    model = network()
    path = written(tmp_path, model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    fixed = tmp_path / "int8.onnx"
    fixed.write_bytes(model.SerializeToString())
    spec = make_spec(model=path).model_copy(update={"int8": Int8File(model=fixed)})
    with pytest.raises(UsageError, match=r"its batch is fixed to 4.*export it with batch 1"):
        check_model(spec)


@pytest.mark.usefixtures("models_read_here")
def test_weights_in_a_second_file_are_facts(tmp_path: Path) -> None:
    path = split(tmp_path, network())
    facts = check_model(make_spec(model=path))
    assert facts == ModelFacts(("x",), "x", 10, data_files=(tmp_path / DATA,))
    int8 = Int8File(model=split(tmp_path / "int8", network()))
    facts = check_model(make_spec(model=path).model_copy(update={"int8": int8}))
    assert facts.int8 is not None
    assert facts.int8.data_files == (tmp_path / "int8" / DATA,)


@pytest.mark.usefixtures("models_read_here")
@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, where: str) -> None:
    model, tensor = network(), onnx.TensorProto()
    graph = model.graph
    tensor.CopyFrom(graph.initializer[0])
    refer(tensor, {"location": "../../etc/passwd"})
    constant = helper.make_node("Constant", [], ["held"], value=tensor)
    if where == "initializer":
        graph.initializer[0].CopyFrom(tensor)
    elif where == "attribute":
        graph.node.append(constant)
    else:
        held = helper.make_tensor_value_info("held", TensorProto.FLOAT, [10, 3])
        branch = helper.make_graph([constant], "branch", [], [held])
        graph.node.append(
            helper.make_node("If", ["c"], ["i"], then_branch=branch, else_branch=branch)
        )
    assert onnx_refusal(written(tmp_path, model)) == (
        " keeps weights in '../../etc/passwd', outside of its own folder, where nothing is read:"
        " put both files into one folder and name the second one without a path"
    )


@pytest.mark.usefixtures("models_read_here")
@pytest.mark.parametrize("ir", [11, 12, 13, 14])
def test_new_ir_versions_are_read(tmp_path: Path, ir: int) -> None:
    model = network()
    model.ir_version = ir
    if unreadable_version(model) is not None:
        pytest.skip("the installed ONNX Runtime is older")
    assert check_model(make_spec(model=written(tmp_path, model))) == ModelFacts(("x",), "x", 10)


@pytest.mark.parametrize(("ir", "opset"), [(99, 13), (8, 99)])
def test_what_nothing_here_reads_is_told_with_its_version(
    tmp_path: Path, ir: int, opset: int
) -> None:
    model = network()
    model.ir_version, model.opset_import[0].version = ir, opset
    message = onnx_refusal(written(tmp_path, model))
    assert message.startswith(f" has IR version {ir} and opset {opset}, and ONNX Runtime ")
    assert message.endswith(
        ": export it for an older version of ONNX, or install a newer onnxruntime"
    )


def test_a_broken_graph_of_a_new_version(tmp_path: Path) -> None:
    model = network()
    model.ir_version, model.opset_import[0].version = 10, 22
    model.graph.node[2].input[0] = "nowhere"
    message = onnx_refusal(written(tmp_path, model))
    assert message.startswith(" is not a valid ONNX model: ")
    assert "nowhere" in message


def test_a_file_that_is_larger_than_a_model(tmp_path: Path) -> None:
    path = written(tmp_path, network())
    with path.open("r+b") as stream:
        stream.truncate(3 * 2**30)
    assert onnx_refusal(path) == (
        " holds 3.2 GB with its data, and one ONNX model at most 2.1 GB: export a smaller model,"
        " or its weights in a smaller type"
    )


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All cases of Paddle's files in one process, since it is slow to import."""
    require_paddle()
    folder = tmp_path_factory.mktemp("paddle")
    arguments = {"folder": str(folder), "onnx": str(written(folder, network()))}
    # The child looks for modules where this process does: the root of the repository.
    found: Any = _run(
        "tests.support.paddle_inspections:inspect_all",
        arguments,
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["good", "renamed parameters"])
def test_a_good_paddle_model(inspected: dict[str, Any], case: str) -> None:
    shapes = inspected[case]
    assert shapes["inputs"] == {"image": [-1, 3, 8, 16]}
    assert list(shapes["outputs"].values()) == [[-1, 10]]
    facts = compare(make_spec(), shapes["inputs"], shapes["outputs"])
    assert facts == ModelFacts(("image",), "image", 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "double",
            "double.pdmodel: input 'image' is not of type float32: export it with that, or as ONNX",
        ),
        ("empty", f"empty.pdmodel is not a whole Paddle inference model: it is empty: {BY_PADDLE}"),
        (
            "text",
            f"text.pdmodel is not a whole Paddle inference model: it is a text file: {BY_PADDLE}",
        ),
        (
            "cut",
            "cut.pdmodel is not a whole Paddle inference model: it is cut off, damaged or of"
            f" another format: {BY_PADDLE}",
        ),
        (
            "onnx",
            "net.onnx is not a whole Paddle inference model: it is cut off, damaged or of another"
            f" format: {BY_PADDLE}",
        ),
        (
            "cut parameters",
            "cut.pdiparams does not hold the parameters of good.pdmodel: it is cut off, damaged"
            " or of another model: export both files again",
        ),
        (
            "no parameters",
            "none.pdiparams does not hold the parameters of good.pdmodel: it is cut off, damaged"
            " or of another model: export both files again",
        ),
        (
            "parameters too long",
            "long.pdiparams does not hold the parameters of good.pdmodel: it is cut off, damaged"
            " or of another model: export both files again",
        ),
    ],
)
def test_a_bad_paddle_model(inspected: dict[str, Any], case: str, expected: str) -> None:
    assert inspected[case] == expected


@pytest.mark.skipif("FQBENCH_DATA" not in os.environ, reason="FQBENCH_DATA names no data")
@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("efficientnet_lite0", ModelFacts(("x",), "x", 1000)),
        ("deeplabv3_mnv2", ModelFacts(("input",), "input", 21)),
        ("shufflenet_v2", ModelFacts(("image",), "image", 1000)),
        ("simplepose", ModelFacts(("data",), "data", None)),
        ("squeezenet1_1", ModelFacts(("data",), "data", 1000)),
        ("yolo11n_seg", ModelFacts(("images",), "images", 80)),
        ("yolov5s", ModelFacts(("images",), "images", 80)),
        ("yolov8n", ModelFacts(("images",), "images", 80)),
        ("yolox_nano", ModelFacts(("images",), "images", 80)),
    ],
)
def test_the_examples_fit_their_models(name: str, facts: ModelFacts) -> None:
    path = Path(__file__).parents[2] / "examples" / f"{name}.yaml"
    assert check_model(load_spec(path, Path(os.environ["FQBENCH_DATA"]))) == facts
