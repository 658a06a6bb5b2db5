from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.errors import UsageError
from fqbench.spec import Margin, ModelSpec, Stretch
from fqbench.spec.load import load_spec, load_specs
from fqbench.spec.yamlfile import SIZE_LIMIT
from fqbench.tasks.classification.decode import Logits

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))

Edit = Callable[[dict[str, Any]], object]


def content() -> dict[str, Any]:
    """A spec whose files `home` has."""
    return {
        "name": "tiny",
        "task": "classification",
        "model": "tiny.onnx",
        "preprocess": {"resize": {"kind": "stretch", "size": [8, 6]}, "mean": [1, 2, 3]},
        "decode": {"kind": "logits"},
        "dataset": {"kind": "imagenet", "images": "images", "list": "list.txt", "start": 4},
        "calibration": {"images": "images", "list": "list.txt", "count": 4},
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "tiny.onnx").write_bytes(b"")
    (tmp_path / "list.txt").write_text("")
    return tmp_path


def written(home: Path, value: object, name: str = "spec.yaml") -> Path:
    path = home / name
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value))
    return path


def message(path: Path, data_root: Path | None = None) -> str:
    """What is said about a bad spec file, without the file's name."""
    with pytest.raises(UsageError) as caught:
        load_spec(path, data_root)
    return str(caught.value).removeprefix(f"{path}").removeprefix(": ")


def edited(home: Path, edit: Edit) -> Path:
    value = content()
    edit(value)
    return written(home, value)


def test_a_whole_spec_loads(home: Path) -> None:
    spec = load_spec(written(home, content()), None)
    assert spec.name == "tiny"
    assert spec.model == home / "tiny.onnx"
    assert spec.preprocess.resize == Stretch(kind="stretch", size=(8, 6))
    assert spec.preprocess.mean == (1.0, 2.0, 3.0)
    assert spec.decode == Logits(kind="logits")
    assert spec.dataset.images == home / "images"
    assert spec.calibration.list == home / "list.txt"
    assert spec.calibration.count == 4
    assert spec.margins == ()
    assert (spec.metric, spec.source_format) == ("top1", "onnx")
    assert spec.input_shape == (1, 3, 8, 6)


def test_relative_paths_start_at_the_data_root(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    assert load_spec(written(folder, content()), home).model == home / "tiny.onnx"


def test_absolute_paths_stay(home: Path, tmp_path: Path) -> None:
    model = home / "other.onnx"
    model.write_bytes(b"")
    path = edited(home, lambda spec: spec.update(model=str(model)))
    assert load_spec(path, home).model == model


def test_parameters_lie_beside_a_paddle_model(home: Path) -> None:
    (home / "inference.pdmodel").write_bytes(b"")
    (home / "inference.pdiparams").write_bytes(b"")
    spec = load_spec(edited(home, lambda spec: spec.update(model="inference.pdmodel")), None)
    assert spec.params == home / "inference.pdiparams"
    assert spec.source_format == "paddle"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            lambda s: s.update(preproces={}),
            "key preproces is unknown: did you mean preprocess?",
        ),
        (
            lambda s: s["dataset"].update(image="images"),
            "key dataset.image is unknown: did you mean images?",
        ),
        # Only keys that are right at this place are suggested.
        (
            lambda s: s["calibration"].update(annotations="a.json"),
            "key calibration.annotations is unknown, known are images, list, boxes,"
            " every, start, count, sizes",
        ),
        # A key that is called as a kind is.
        (
            lambda s: s["preprocess"].update(crop=[8, 6]),
            "key preprocess.crop is unknown, known are resize, color, scale, mean, std",
        ),
        (lambda s: s.pop("task"), "key task is missing"),
        (lambda s: s["preprocess"]["resize"].pop("size"), "key preprocess.resize.size is missing"),
        (
            lambda s: s["preprocess"]["resize"].pop("kind"),
            "key preprocess.resize: expected a mapping with the key 'kind'",
        ),
        (
            lambda s: s["decode"].update(kind="yolov9"),
            "key decode: kind is 'yolov9',"
            " expected 'logits', 'yolov5', 'yolox', 'ppyoloe', 'yolov8', 'yolov10', 'detr',"
            " 'rtdetr', 'nanodet', 'yolo_seg', 'heatmaps', 'simcc', 'yolo_pose', 'semantic',"
            " 'ctc', 'python', 'none'",
        ),
        (
            lambda s: s.update(preprocess=None),
            "key preprocess: expected a mapping of keys and values, found nothing",
        ),
        (
            lambda s: s.update(dataset="images"),
            "key dataset: expected a mapping of keys and values, found 'images'",
        ),
        (
            lambda s: s["preprocess"]["resize"].update(size=640),
            "key preprocess.resize.size: expected a list, found 640",
        ),
        (
            lambda s: s["preprocess"]["resize"].update(size=["640", 640]),
            "key preprocess.resize.size.0: expected a valid integer, found '640'",
        ),
        (
            lambda s: s["preprocess"]["resize"].update(size=[0, 640]),
            "key preprocess.resize.size.0: expected greater than 0, found 0",
        ),
        (
            lambda s: s["preprocess"].update(mean=[0.5, 0.5]),
            "key preprocess: mean has 2 values, expected 1 or 3",
        ),
        (
            lambda s: s["preprocess"].update(color="gray"),
            "key preprocess: mean has 3 values, expected 1",
        ),
        (
            lambda s: s["preprocess"].update(color="rgba"),
            "key preprocess.color: expected 'rgb', 'bgr' or 'gray', found 'rgba'",
        ),
        (
            lambda s: s["preprocess"].update(std=[0, 1, 1]),
            "key preprocess.std.0: expected greater than 0, found 0",
        ),
        (
            lambda s: s["preprocess"].update(scale=1, std=[0.229, 0.224, 0.225]),
            "key preprocess: std 0.229 would enlarge pixels of 0 to 255: give scale"
            " 0.00392156862745098, which is 1/255, where mean and std are of values of 0 to 1",
        ),
        (
            lambda s: s["preprocess"].update(scale=float("nan")),
            "key preprocess.scale: expected a finite number, found nan",
        ),
        (
            lambda s: s["calibration"].update(count=True),
            "key calibration.count: expected a valid integer, found True",
        ),
        (
            lambda s: s.update(name="My Model"),
            "key name: expected text of the form ^[a-z0-9][a-z0-9_.]*$, found 'My Model'",
        ),
        (
            lambda s: s.update(model="tiny.pt"),
            "model is 'tiny.pt', expected a .onnx or a .pdmodel file",
        ),
        (
            lambda s: s.update(task="detection"),
            "decode.kind 'logits' does not fit task 'detection'",
        ),
        (
            lambda s: s.update(task="detection", decode={"kind": "yolov5"}),
            "dataset.kind 'imagenet' does not fit task 'detection'",
        ),
        (
            lambda s: s.update(margins=[{"drop": 1.0, "reason": "small"}]),
            "key margins.0.source is missing",
        ),
        (
            lambda s: s.update(
                margins=[{"drop": drop, "source": "goal", "reason": "why"} for drop in (1, 2)]
            ),
            "margins: two are for the same backend and method",
        ),
    ],
)
def test_a_mistake_is_one_sentence(home: Path, edit: Edit, expected: str) -> None:
    assert message(edited(home, edit)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected keys and values (name: ..., model: ...)"),
        ("- name: tiny", "expected keys and values (name: ..., model: ...)"),
        (
            "name: tiny\ntask: [",
            " is not valid YAML, line 2: expected the node content, but found '<stream end>'",
        ),
        ("a: 1\n b: 2", " is not valid YAML, line 2: mapping values are not allowed here"),
        ("name: tiny\nname: other", " is not valid YAML, line 2: the key 'name' is written twice"),
        ("a: {b: 1, b: 2}", " is not valid YAML, line 1: the key 'b' is written twice"),
        ("1: tiny", " is not valid YAML, line 1: the key 1 is not a text"),
        ("? [a]\n: 1", " is not valid YAML, line 1: the key ['a'] is not a text"),
        ("a: &a [1]\nb: *a", " is not valid YAML, line 2: aliases (*name) are not allowed"),
        (
            "name: !!python/object/apply:os.system [exit]",
            " is not valid YAML, line 1: could not determine a constructor for the tag"
            " 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        (r'name: "\ud800"', " is not valid YAML, line 1: '\\ud800' is not a text"),
        ("name: 2026-02-31", " is not valid YAML: day is out of range for month"),
        ("a: " + "[" * 5000, " is not valid YAML: it is nested too deeply"),
        ("#" * (SIZE_LIMIT + 1), " is too large for a spec file: 65536 bytes are allowed"),
    ],
)
def test_bad_yaml_is_one_sentence(home: Path, text: str, expected: str) -> None:
    said = message(written(home, text))
    assert said == (f"{expected}; correct the file" if "not valid YAML" in expected else expected)


def test_not_text(home: Path) -> None:
    path = home / "spec.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert message(path) == " is not a text file, expected a spec file in YAML"
    path.write_bytes(b"name: \x00")
    with pytest.raises(UsageError, match=r"is not valid YAML: .*special characters"):
        load_spec(path, None)


def test_a_byte_order_mark_does_no_harm(home: Path) -> None:
    path = home / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + yaml.safe_dump(content()).encode())
    assert load_spec(path, None).name == "tiny"


def test_no_decoder_without_labels(home: Path) -> None:
    def unread(spec: dict[str, Any]) -> None:
        spec["decode"] = {"kind": "none"}

    assert message(edited(home, unread)) == (
        "decode.kind 'none' reads nothing: dataset.kind must be 'folder'"
    )

    def unlabelled(spec: dict[str, Any]) -> None:
        unread(spec)
        spec["dataset"] = {"kind": "folder", "images": "images"}

    spec = load_spec(edited(home, unlabelled), None)
    assert (spec.decode.kind, spec.labelled) == ("none", False)


def test_a_model_is_no_spec_and_gets_one(home: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.onnx is a model, .*: fqbench init .*net\.onnx"):
        load_spec(home / "net.onnx", None)


def test_no_such_spec(home: Path) -> None:
    path = home / "none.yaml"
    with pytest.raises(UsageError) as caught:
        load_spec(path, None)
    assert str(caught.value) == (
        f"cannot read spec file {path}: No such file or directory; name a file that can be read"
    )


@pytest.mark.parametrize(
    ("edit", "key", "kind", "missing"),
    [
        (lambda s: s.update(model="no.onnx"), "model", "file", "no.onnx"),
        (lambda s: s.update(model="images/.onnx.onnx"), "model", "file", "images/.onnx.onnx"),
        (lambda s: s["dataset"].update(images="no"), "dataset.images", "folder", "no"),
        # A file is no folder.
        (lambda s: s["dataset"].update(images="list.txt"), "dataset.images", "folder", "list.txt"),
        (lambda s: s["calibration"].update(list="no"), "calibration.list", "file", "no"),
        (lambda s: s.update(model=f"{'a' * 300}.onnx"), "model", "file", f"{'a' * 300}.onnx"),
    ],
)
def test_a_missing_file(home: Path, edit: Edit, key: str, kind: str, missing: str) -> None:
    assert message(edited(home, edit)) == (
        f"key {key}: there is no {kind} {home / missing}"
        f" (relative paths start at {home}: see --data-root and FQBENCH_DATA)"
        ": correct the path, or put it there"
    )


def test_a_missing_file_of_an_absolute_path(home: Path) -> None:
    path = edited(home, lambda s: s.update(model=str(home / "no.onnx")))
    assert message(path) == (
        f"key model: there is no file {home / 'no.onnx'}: correct the path, or put it there"
    )


def test_missing_parameters(home: Path) -> None:
    (home / "inference.pdmodel").write_bytes(b"")
    path = edited(home, lambda s: s.update(model="inference.pdmodel"))
    missing = home / "inference.pdiparams"
    assert message(path) == (
        f"key params: there is no file {missing}: correct the path, or put it there"
    )


def test_one_bad_spec_leaves_the_others(home: Path) -> None:
    good = written(home, content(), "good.yaml")
    twin = written(home, content(), "twin.yaml")
    broken = written(home, "- name", "broken.yaml")
    other = written(home, {**content(), "name": "other"}, "other.yaml")
    specs, problems = load_specs([good, broken, twin, other], None)
    assert [spec.name for spec in specs] == ["tiny", "other"]
    assert [(problem.path, problem.message) for problem in problems] == [
        (broken, f"{broken}: expected keys and values (name: ..., model: ...)"),
        (twin, f"{twin}: key name: another spec is called 'tiny' too: choose another name"),
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(data=st.data(), value=VALUES)
@settings(deadline=None, max_examples=60)
def test_any_value_anywhere_loads_or_is_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: object
) -> None:
    spec = content()
    holder = data.draw(
        st.sampled_from([spec, spec["preprocess"], spec["preprocess"]["resize"], spec["dataset"]])
    )
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    path = written(tmp_path_factory.getbasetemp(), spec, "any.yaml")
    try:
        loaded = load_spec(path, None)
    except UsageError as error:
        assert str(error).startswith((f"{path}", "cannot read"))  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert isinstance(loaded, ModelSpec)


@given(text=st.text(max_size=60))
@settings(deadline=None, max_examples=60)
def test_any_text_is_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(UsageError, match=re.escape(str(path))) as caught:
        load_spec(path, None)
    assert "\n" not in str(caught.value)


def test_the_examples_are_called_as_their_files() -> None:
    names = [yaml.safe_load(path.read_text())["name"] for path in EXAMPLES]
    assert names == [path.stem for path in EXAMPLES]
    assert {"yolov5s", "vit_tiny", "deeplabv3_mnv2", "simplepose", "ppocrv4_rec"} <= set(names)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_spec(path: Path, tmp_path: Path) -> None:
    """Every example, with empty files where it expects some."""
    value = yaml.safe_load(path.read_text())
    files = [value["model"], value["model"].replace(".pdmodel", ".pdiparams")]
    folders = []
    for part in (value["dataset"], value["calibration"]):
        files += [part[key] for key in ("annotations", "list", "boxes") if key in part]
        folders += [part[key] for key in ("images", "maps") if key in part]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in folders:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    spec = load_spec(path, tmp_path)
    assert spec.margins
    assert all(isinstance(margin, Margin) for margin in spec.margins)
