"""Specs that load, of files that are not what they should be, beside a good one in one command."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import FP32, rows, sentences, started
from tests.support.tiny_spec import write_spec

pytestmark = pytest.mark.slow


def broken_projects(folder: Path) -> dict[str, Path]:
    """Specs that load, of files that are not what they should be."""
    made = {
        name: write_spec(folder / name, name)
        for name in ("truncated", "text", "cutoff", "unlisted", "nofile")
    }
    model = folder / "truncated" / "truncated.onnx"
    model.write_bytes(model.read_bytes()[:-500])
    (folder / "text" / "text.onnx").write_text("this is not a model\n")
    made["input"] = write_spec(folder / "input", "input", input="pixels")
    made["empty"] = write_spec(
        folder / "empty",
        "empty",
        dataset={"kind": "imagenet", "images": "none", "list": "list.txt"},
    )
    (folder / "empty" / "none").mkdir()
    image = folder / "cutoff" / "images" / "00.png"
    image.write_bytes(image.read_bytes()[:100])
    (folder / "unlisted" / "list.txt").write_text("00.png 0\n01.png cat\n")
    (folder / "nofile" / "nofile.onnx").unlink()
    made["json"] = write_spec(
        folder / "json",
        "json",
        task="detection",
        decode={"kind": "python", "function": "json:loads"},
        dataset={"kind": "coco", "images": "images", "annotations": "broken.json"},
    )
    (folder / "json" / "broken.json").write_text('{"images": [')
    return made


NAMED = {
    "truncated": ("truncated.onnx", "is not a whole ONNX model"),
    "text": ("text.onnx", "is not a whole ONNX model"),
    "input": ("input.onnx", "key input is 'pixels', the model has: x"),
    "empty": ("dataset.images", "00.png"),
    "cutoff": ("00.png", "cannot read image"),
    "unlisted": ("list.txt, line 2", "expected 'file class'"),
    "nofile": ("nofile.yaml", "key model: there is no file"),
    "json": ("broken.json", "not COCO annotations"),
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """One command with every broken project and a good one in their midst."""
    folder = tmp_path_factory.mktemp("mixed")
    made = list(broken_projects(folder).values())
    specs = [*made[:4], write_spec(folder / "good", "good"), *made[4:]]
    command = [sys.executable, "-m", "tests.support.quick_fqbench", "run", *FP32]
    command += ["--allow-code", "--out", str(folder / "out"), "--spec", *map(str, specs)]
    return started(command, {"COLUMNS": "1000"}), folder


@pytest.mark.parametrize("name", NAMED)
def test_is_one_sentence(mixed, name):
    finished, folder = mixed
    (sentence,) = (s for s in sentences(finished.stderr) if str(folder / name) in s)
    for part in NAMED[name]:
        assert part in sentence


def test_nothing_else_is_said(mixed):
    finished, _ = mixed
    assert finished.returncode == 2
    assert len(sentences(finished.stderr)) == len(NAMED)
    assert "Traceback" not in finished.stderr + finished.stdout


def test_good_spec_has_its_row(mixed):
    finished, folder = mixed
    (row,) = rows(folder / "out").values()
    assert (row["cell"], row["status"]) == ("good-onnxruntime-cpu-fp32", "ok")
    assert "good" in finished.stdout
