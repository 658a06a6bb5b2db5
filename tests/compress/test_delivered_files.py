"""Which files of a made model are delivered: as fqbench calls them, or what the backend loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from fqbench.compress.deliver import check_folder, deliver, files_of
from fqbench.errors import UsageError

IR = ("model.bin", "model.xml")


def model(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    ("backend", "written", "delivered"),
    [
        ("onnxruntime", ("model.onnx", "plan.json"), ("model.onnx",)),
        ("openvino", ("model.onnx", "plan.json"), ("model.onnx",)),
        ("openvino", (*IR, "timing.json"), IR),
        ("paddle", ("model.pdmodel", "model.pdiparams"), ("model.pdmodel", "model.pdiparams")),
        ("tensorrt", ("model.onnx",), ("model.onnx",)),
        ("onnxruntime", IR, ()),
    ],
)
def test_files_are_those_that_the_backend_loads(backend, written, delivered, tmp_path):
    made = model(tmp_path / "made", *written)
    assert tuple(path.name for path in files_of(made, backend)) == delivered


def test_another_form_takes_the_place_of_an_earlier_one(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    deliver(model(tmp_path / "ours", "model.onnx"), "openvino", out)
    check_folder(out, ["openvino"])
    found = deliver(model(tmp_path / "theirs", *IR), "openvino", out)
    assert sorted(path.name for path in (out / "openvino").iterdir()) == list(IR)
    assert [path.name for path in found] == list(IR)
    check_folder(out, ["openvino"])


def test_what_is_no_model_is_left_alone(tmp_path):
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes\.txt, which is no file of an earlier run"):
        check_folder(tmp_path, ["openvino"])
