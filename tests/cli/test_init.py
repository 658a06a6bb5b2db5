"""``fqbench init``: a spec that ``fqbench run`` takes, or one sentence and no file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from PIL import Image

from fqbench.cli.main import main
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from tests.support.external_data import DATA, split
from tests.support.onnx_graphs import Net
from tests.support.tiny_spec import SIZE, classifier, of_bytes, write_spec


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever looks for files finds none."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> int:
    return main(["init", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence that is all there is."""
    before = sorted(Path().rglob("*"))
    assert run(*arguments) == 2
    assert sorted(Path().rglob("*")) == before
    found = capsys.readouterr()
    (sentence,) = found.err.splitlines()
    assert found.out == ""
    return sentence


def images(folder: Path, count: int = 6) -> Path:
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(count):
        pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_spec_that_runs_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spec(tmp_path / "given")
    given = tmp_path / "given"
    options = ("--images", given / "images", "--labels", given / "list.txt")
    assert run(given / "tiny.onnx", *options, "--calibration", given / "calibration") == 0
    spec = load_spec(tmp_path / "tiny.yaml", None)
    assert (spec.task, spec.decode.kind) == ("classification", "logits")
    assert spec.preprocess.resize.output == (SIZE, SIZE)
    assert spec.dataset.truth == given / "list.txt"
    assert check_model(spec).image_input == "x"
    assert "NOT KNOWN" not in Path("tiny.yaml").read_text()
    told = capsys.readouterr().err
    assert "Not known" not in told
    assert told.endswith("Next: check what is not sure in it, then fqbench run --spec tiny.yaml\n")


def test_without_images_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(classifier(), "net.onnx")
    assert run("net.onnx", "--out", "own.yaml") == 0
    told = capsys.readouterr().err
    assert "Not known: dataset and calibration" in told
    assert "Next: fill in what is not known in it, then fqbench run --spec own.yaml" in told
    text = Path("own.yaml").read_text()
    assert "# NOT KNOWN: dataset and calibration" in text
    # A random network's four numbers are nobody's to be sure of.
    assert "# guess: one output of 4 numbers, which may also be an embedding" in text


def test_weights_in_a_second_file_need_no_word_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = split(Path("export"), classifier())
    onnx.save(classifier(), "one.onnx")
    texts = []
    for each, out in ((path, "two.yaml"), (Path("one.onnx"), "one.yaml")):
        assert run(each, "--out", out) == 0
        texts.append(Path(out).read_text().replace(str(each), "FILE"))
    assert texts[0].replace("name: net\n", "name: one\n") == texts[1]
    capsys.readouterr()
    (path.parent / DATA).unlink()
    Path("two.yaml").unlink()
    sentence = refused(capsys, path, "--out", "two.yaml")
    assert f"keeps weights in '{DATA}' beside it, which cannot be read" in sentence


def test_a_document_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(classifier(), "net.onnx")
    assert run("net.onnx", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["schema"], content["spec"]) == (1, "net.yaml")
    assert {each["key"]: each["sureness"] for each in content["proposals"]}["layout"] == "sure"
    assert len(content["unknown"]) == 1


def test_images_are_divided(tmp_path: Path) -> None:
    onnx.save(classifier(), "net.onnx")
    assert run("net.onnx", "--images", images(tmp_path / "pictures")) == 0
    content = yaml.safe_load(Path("net.yaml").read_text())
    assert content["dataset"] == {"kind": "folder", "images": "pictures", "start": 3}
    assert content["calibration"] == {"images": "pictures", "count": 3}
    load_spec(Path("net.yaml"), None)


def test_bytes_are_sure(tmp_path: Path) -> None:
    onnx.save(of_bytes(), "net.onnx")
    assert run("net.onnx") == 0
    content = yaml.safe_load(Path("net.yaml").read_text())
    assert (content["layout"], content["preprocess"]["scale"]) == ("nhwc", 1.0)
    assert "is sure: the input is of type uint8" in Path("net.yaml").read_text()


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(classifier(), "net.onnx")
    Path("net.yaml").write_text("mine")
    assert "net.yaml is there already" in refused(capsys, "net.onnx")
    assert Path("net.yaml").read_text() == "mine"
    Path("link.yaml").symlink_to("nowhere")
    assert "is there already" in refused(capsys, "net.onnx", "--out", "link.yaml")


def unknown_output() -> onnx.ModelProto:
    net = Net(1, (1, 3, 8, 8))
    shape = net.constant("shape", np.array([1, 2, 2, 4, 12], np.int64))
    return net.model(net.node("Reshape", "x", shape))


def with_points() -> onnx.ModelProto:
    model = classifier()
    points = helper.make_tensor_value_info("points\x1b[31m", TensorProto.FLOAT, [1, 2])
    model.graph.input.append(points)
    return model


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a whole ONNX model: it is empty"),
        (b"PK\x03\x04 weights", "it is a zip archive"),
        (b"no model", "it is a text file"),
        (classifier().SerializeToString()[:-400], "net.onnx"),
        (unknown_output().SerializeToString(), "no task recognizes its outputs"),
        (with_points().SerializeToString(), "nothing is known of what fills the input"),
    ],
    ids=["empty", "zip", "text", "cut off", "unknown output", "unknown input"],
)
def test_what_is_no_known_model_is_refused(
    content: bytes, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("net.onnx").write_bytes(content)
    assert sentence in refused(capsys, "net.onnx")


def test_files_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no file none.onnx" in refused(capsys, "none.onnx")
    assert "only ONNX models are looked at" in refused(capsys, "net.pt")
    onnx.save(classifier(), "net.onnx")
    assert "not a folder" in refused(capsys, "net.onnx", "--images", "none")
    Path("empty").mkdir()
    assert "there is no image in empty" in refused(capsys, "net.onnx", "--images", "empty")
    assert "needs the images" in refused(capsys, "net.onnx", "--labels", "list.txt")
    given = ("net.onnx", "--images", "empty", "--labels", "none")
    assert "there is no file or folder none" in refused(capsys, *given)


def test_images_and_labels_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(classifier(), "net.onnx")
    folder = images(tmp_path / "pictures", 2)
    Path("labels.txt").write_text("0.png cat\n")
    given = ("net.onnx", "--images", folder)
    assert "labels.txt cannot be read" in refused(capsys, *given, "--labels", "labels.txt")
    Path("labels.json").write_text("{}")
    assert "labels.json cannot be read" in refused(capsys, *given, "--labels", "labels.json")
    (folder / "0.png").write_bytes(b"no picture")
    assert "is not an image of a known format" in refused(capsys, *given)


@pytest.mark.slow
def test_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: the model is loaded in a child."""
    monkeypatch.undo()
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    write_spec(tmp_path / "given")
    out = tmp_path / "own.yaml"
    assert run(tmp_path / "given" / "tiny.onnx", "--out", out) == 0
    shutil.rmtree(tmp_path / "given")
    assert "guess" in out.read_text()
