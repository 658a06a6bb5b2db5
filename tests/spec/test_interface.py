"""What fills a model's inputs, by its spec and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fqbench.errors import UsageError
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts, compare
from fqbench.spec.inputs import Constant, Filled, ImageForm, ImageSize
from fqbench.spec.load import load_spec

NCHW, NHWC = [1, 3, 8, 16], [1, 8, 16, 3]
OUTPUTS = {"y": [1, 10]}


def spec_of(**changes: Any) -> ModelSpec:
    """Of a classifier of images of 8 by 16."""
    return ModelSpec.model_validate(
        {
            "name": "net",
            "task": "classification",
            "model": Path("net.onnx"),
            "preprocess": {"resize": {"kind": "stretch", "size": [8, 16]}},
            "decode": {"kind": "logits"},
            "dataset": {"kind": "imagenet", "images": "i", "list": "list.txt"},
            "calibration": {"images": "c"},
            **changes,
        }
    )


def facts(spec: ModelSpec, inputs: dict[str, list[int]], types: dict[str, str] | None = None):
    return compare(spec, inputs, OUTPUTS, types=types)


def refusal(spec: ModelSpec, inputs: dict[str, list[int]], **types: str) -> str:
    with pytest.raises(UsageError) as caught:
        facts(spec, inputs, types)
    text = str(caught.value)
    assert text.startswith("net.onnx: ")
    return text.removeprefix("net.onnx: ")


@pytest.mark.parametrize(
    ("shape", "asked", "layout"),
    [
        (NCHW, None, "nchw"),
        (NHWC, None, "nhwc"),
        ([-1, 8, 16, 3], None, "nhwc"),
        ([-1, -1, -1, 3], None, "nhwc"),
        ([-1, -1, -1, -1], None, "nchw"),
        ([-1, -1, -1, -1], "nhwc", "nhwc"),
        (NHWC, "nhwc", "nhwc"),
    ],
)
def test_the_layout_is_the_specs_or_the_one_that_fits(shape, asked, layout) -> None:
    assert facts(spec_of(layout=asked), {"x": shape}).form.layout == layout


def test_a_layout_by_its_shape_is_noted() -> None:
    note = "its input 'x' is taken for NHWC, by its shape"
    assert facts(spec_of(), {"x": NHWC}).notes == (note,)
    assert facts(spec_of(layout="nhwc"), {"x": NHWC}).notes == ()


@pytest.mark.parametrize(
    ("shape", "asked", "made", "see"),
    [
        ([1, 9, 16, 3], None, "[1, 8, 16, 3]", "see preprocess.resize.size"),
        (NCHW, "nhwc", "[1, 8, 16, 3]", "see preprocess.color, see preprocess.resize.size, see"
         " layout"),
        (NHWC, "nchw", "[1, 3, 8, 16]", "see preprocess.color, see preprocess.resize.size, see"
         " layout"),
        ([1, 8, 16, 1], "nhwc", "[1, 8, 16, 3]", "see preprocess.color, see layout"),
    ],
)  # fmt: skip
def test_a_layout_that_does_not_fit(shape, asked, made, see) -> None:
    shown = str(shape)
    assert refusal(spec_of(layout=asked), {"x": shape}) == (
        f"input 'x' has shape {shown}, the spec of net makes {made}: {see}"
    )


@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
def test_types_of_images(kind: str) -> None:
    assert facts(spec_of(), {"x": NCHW}, {"x": kind}).form == ImageForm(type=kind)


def test_pixels_as_they_are_are_not_normalized_before() -> None:
    process = {"resize": {"kind": "stretch", "size": [8, 16]}, "mean": [127.5]}
    assert refusal(spec_of(preprocess=process), {"x": NCHW}, x="uint8") == (
        "input 'x' is uint8, which holds pixels as they are: leave preprocess.scale,"
        " preprocess.mean and preprocess.std out of the spec"
    )


def test_other_types_of_images_are_refused() -> None:
    assert refusal(spec_of(), {"x": NCHW}, x="int32") == (
        "input 'x' takes the image as int32: export the model with an image of float32, float16 or"
        " uint8"
    )


def test_a_fixed_batch_becomes_one() -> None:
    found = compare(spec_of(), {"x": [4, 3, 8, 16]}, {"y": [4, 10]})
    assert (found.form.batch, found.classes) == (4, 10)
    assert found.notes == (
        "its batch, fixed to 4 in the file, was made 1, and each image checked against the file",
    )


SIZES = {"kind": "image_size", "order": "wh"}


@pytest.mark.parametrize(
    ("shape", "kind", "fill", "wanted"),
    [
        ([1, 2], "int64", SIZES, (1, 2)),
        ([-1, 2], "int64", SIZES, (1, 2)),
        ([-1, -1], "float32", SIZES, (1, 2)),
        ([2], "int32", SIZES, (2,)),
        ([1], "float32", {"kind": "constant", "value": 0.5}, (1,)),
        ([], "float32", {"kind": "constant", "value": 0.5}, ()),
        ([1, 3], "float32", {"kind": "constant", "value": [1, 2, 3]}, (1, 3)),
        ([-1, -1], "float32", {"kind": "constant", "value": [[1, 2], [3, 4]]}, (2, 2)),
        ([1], "bool", {"kind": "constant", "value": True}, (1,)),
        ([1, 2], "float32", {"kind": "input_size"}, (1, 2)),
        ([1, 2], "float16", {"kind": "scale_factor"}, (1, 2)),
    ],
)
def test_other_inputs_are_filled_as_the_spec_says(shape, kind, fill, wanted) -> None:
    found = facts(spec_of(other_inputs={"s": fill}), {"x": NCHW, "s": shape}, {"s": kind})
    assert found.inputs == ("x", "s")
    assert found.image_input == "x"
    assert (found.others["s"].type, found.others["s"].shape) == (kind, wanted)


def test_what_is_made_a_constant_is_noted() -> None:
    other = {"s": {"kind": "input_size"}, "t": SIZES}
    found = facts(spec_of(other_inputs=other), {"x": NCHW, "s": [1, 2], "t": [1, 2]})
    assert found.notes == ("its input 's' was made a constant",)


def test_other_inputs_of_a_batch() -> None:
    inputs = {"x": [4, 3, 8, 16], "s": [4, 2], "t": [-1, 2]}
    found = facts(spec_of(other_inputs={"s": SIZES, "t": SIZES}), inputs, {"s": "int64"})
    assert [found.others[name].shape for name in "st"] == [(4, 2), (4, 2)]
    assert found.others["s"].for_one(4).shape == (1, 2)


@pytest.mark.parametrize(
    ("shape", "kind", "fill", "text"),
    [
        ([1, 3], "int64", SIZES, "input 's' has shape [1, 3], and the key other_inputs.s fills [2]:"
         " give another value or kind"),
        ([1], "int64", {"kind": "constant", "value": 0.5}, "input 's' is of type int64, which holds"
         " whole numbers: give other_inputs.s another value or kind"),
        ([1, 2], "int64", {"kind": "scale_factor"}, "input 's' is of type int64, which holds whole"
         " numbers: give other_inputs.s another value or kind"),
        ([1, 2], "string", SIZES, "input 's' is of type string, which nothing fills: export the"
         " model with that input as a number"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(shape, kind, fill, text) -> None:
    spec = spec_of(other_inputs={"s": fill})
    assert refusal(spec, {"x": NCHW, "s": shape}, s=kind) == text


def test_an_input_that_is_not_there_is_not_filled() -> None:
    spec = spec_of(other_inputs={"sizes": SIZES})
    assert refusal(spec, {"x": NCHW}) == (
        "the spec's key other_inputs has 'sizes', the model has: x"
    )
    spec = spec_of(other_inputs={"x": SIZES}, input="x")
    assert "takes the image: take it out of the key other_inputs" in refusal(spec, {"x": NCHW})


def test_scale_factor_may_be_filled_otherwise() -> None:
    fill = {"kind": "constant", "value": [1, 1]}
    found = facts(spec_of(other_inputs={"scale_factor": fill}), {"x": NCHW, "scale_factor": [1, 2]})
    assert found == ModelFacts(
        ("x", "scale_factor"),
        "x",
        10,
        others={
            "scale_factor": Filled(
                fill=Constant(kind="constant", value=[1, 1]), type="float32", shape=(1, 2)
            )
        },
        notes=("its input 'scale_factor' was made a constant",),
    )


# Sizes that stay open.


def test_open_sizes_have_names_in_the_graphs_shape() -> None:
    assert spec_of().graph_shape == (1, 3, 8, 16)
    assert spec_of(free=["width"]).graph_shape == (1, 3, 8, "width")
    assert spec_of(free=["height", "width"]).graph_shape == (1, 3, "height", "width")


def test_a_size_is_left_open_that_the_file_leaves_open() -> None:
    spec = spec_of(free=["width"])
    assert facts(spec, {"x": [-1, 3, 8, -1]}).form == ImageForm()
    assert refusal(spec, {"x": [-1, 3, -1, 16]}) == (
        "the width of input 'x' is fixed to 16, and the key free asks for it open: export the"
        " model with a free width, or take it out"
    )
    spec = spec_of(free=["height"], layout="nhwc")
    assert facts(spec, {"x": [-1, -1, 16, 3]}).form.layout == "nhwc"
    assert "the height of input 'x' is fixed to 8" in refusal(spec, {"x": NHWC})


def test_the_size_of_an_open_input_is_no_constant() -> None:
    spec = spec_of(free=["width"], other_inputs={"s": {"kind": "input_size"}})
    assert "take one of both out of the spec" in refusal(spec, {"x": [1, 3, 8, -1], "s": [1, 2]})


def test_sizes_that_calibrate_differ_where_they_are_open() -> None:
    sizes = {"images": "c", "sizes": [[8, 16], [8, 32]]}
    assert spec_of(free=["width"], calibration=sizes).calibration.sizes == ((8, 16), (8, 32))
    with pytest.raises(ValueError, match="has the width 32, the model's is 16: add width to"):
        spec_of(calibration=sizes)
    with pytest.raises(ValueError, match="training knows one size"):
        spec_of(free=["width"], distillation={"images": sizes})


# As users write it.


def load(folder: Path, **changes: object) -> ModelSpec:
    for name in ("i", "c"):
        (folder / name).mkdir()
    for name in ("net.onnx", "list.txt"):
        (folder / name).touch()
    content = spec_of().model_dump(mode="json", include={"name", "task", "decode", "dataset"})
    content |= {"model": "net.onnx", "calibration": {"images": "c"}}
    content |= {"preprocess": {"resize": {"kind": "stretch", "size": [8, 16]}}, **changes}
    (folder / "net.yaml").write_text(yaml.safe_dump(content))
    return load_spec(folder / "net.yaml", folder)


def test_a_spec_file_says_what_fills_the_inputs(tmp_path: Path) -> None:
    found = load(tmp_path, layout="nhwc", other_inputs={"s": SIZES})
    assert found.layout == "nhwc"
    assert found.other_inputs == {"s": ImageSize(kind="image_size", order="wh")}


@pytest.mark.parametrize(
    ("fill", "text"),
    [
        ({"kind": "size"}, "key other_inputs.s: kind is 'size', expected 'constant', 'input_size',"
         " 'image_size', 'scale_factor'"),
        ({"order": "wh"}, "key other_inputs.s: expected a mapping with the key 'kind'"),
        ({"kind": "image_size", "oder": "wh"}, "key other_inputs.s.oder is unknown: did you mean"
         " order?"),
        ({"kind": "constant", "value": "x"}, "key other_inputs.s.value: expected a number, or lists"
         " of numbers, found 'x'"),
        ({"kind": "constant", "value": [[1], [1, 2]]}, "key other_inputs.s.value: expected lists of"
         " numbers of the same length, found [[1], [1, 2]]"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(tmp_path: Path, fill: object, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, other_inputs={"s": fill})
    assert str(caught.value) == f"{tmp_path / 'net.yaml'}: {text}"
