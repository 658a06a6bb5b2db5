"""ONNX files that keep their weights in files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto

FILE = "net.onnx"
DATA = "net.onnx.data"


def split(folder: Path, model: onnx.ModelProto, location: str = DATA, name: str = FILE) -> Path:
    """Write ``model`` as exporters do, all weights one after the other in a second file."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    path = folder / name
    onnx.save(copy, str(path), save_as_external_data=True, location=location, size_threshold=0)
    return path


def refer(tensor: onnx.TensorProto, entries: Mapping[str, str]) -> None:
    """Make ``tensor`` one whose data lies where ``entries`` say."""
    for field in ("raw_data", "float_data", "external_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
