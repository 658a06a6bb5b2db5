"""Detectors that end in their best rows, beside the package that exports them.

    python -m tools.end_to_end_heads --python PYTHON --images DIR --calibration DIR

``PYTHON`` is an interpreter with the package ``ultralytics`` and what it exports ONNX with; nothing
is downloaded, weights are random. Of each network and runtime it prints whether what is decoded is
what the package answers for the same images, which operators put in order and whether any of them
reads rounded values, and how alike INT8 is to FP32: with its head, and of the same network that
ends before it. Ends with code 1 where answers differ, or rounded values are put in order.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store, default_root
from fqbench.cells import Cell
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.steps.executor import LocalExecutor
from fqbench.vision.image import read_image
from tools.end_to_end_heads.compare import Figures, Row, decoded, figures, write_headless

MODELS = ("yolov10n", "yolo26n")
PACKAGE = Path(__file__).with_name("package.py")
SIZE = 320
"""Pixels of an input's side."""
SCORE = 0.001
QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", type=Path, required=True, help="one that has ultralytics")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--calibration", type=Path, required=True, metavar="DIR")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--backends", nargs="+", default=["onnxruntime", "openvino"])
    parser.add_argument("--count", type=int, default=8, help="images of each kind (default: 8)")
    options = parser.parse_args(arguments)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models:
            found.append(of_network(name, options, Path(scratch)))
            show(found[-1])
    return 0 if all(figures.right for figures in found) else 1


def of_network(name: str, options: argparse.Namespace, folder: Path) -> Figures:
    """All that is found out about the network that the package calls ``name``."""
    images = sorted(options.images.iterdir())[: options.count]
    pixels = {path.name: read_image(path)[..., ::-1] for path in images}
    np.savez(folder / "images.npz", **pixels)
    command = [str(options.python), str(PACKAGE), name, str(folder), str(SIZE), str(SCORE)]
    settings = {**os.environ, **QUIET, "YOLO_CONFIG_DIR": str(folder), "PYTHONPATH": ""}
    subprocess.run(command, check=True, cwd=folder, env=settings, stdout=subprocess.DEVNULL)
    answers = dict(np.load(folder / f"{name}.npz"))
    headless = f"{name}_headless"
    write_headless(folder / f"{name}.onnx", folder / f"{headless}.onnx")
    executor = LocalExecutor(Store(default_root()))
    specs = [
        write_spec(name, options, folder, {"kind": "yolov10", "score": SCORE}),
        write_spec(headless, options, folder, {"kind": "none"}),
    ]
    loaded, problems = find_specs(specs, None, None, executor)
    ready = prepare(loaded, executor)
    if problems or ready.problems:
        raise SystemExit("; ".join([*problems, *ready.problems]))
    whole, cut = ready.models
    rows = tuple(
        figures(
            whole, Cell(name, backend, "cpu", "int8"), cut, Cell(headless, backend, "cpu", "int8")
        )
        for backend in options.backends
    )
    return Figures(name, decoded(whole, images, answers), rows)


def write_spec(
    name: str, options: argparse.Namespace, folder: Path, decode: dict[str, Any]
) -> Path:
    """A spec of ``folder / NAME.onnx``, read as the package reads images."""
    chosen = {"count": options.count}
    content = {
        "name": name,
        "task": "detection",
        "model": str(folder / f"{name}.onnx"),
        "preprocess": {
            "resize": {"kind": "letterbox", "size": [SIZE, SIZE]},
            "scale": 1 / 255,
        },
        "decode": decode,
        "dataset": {"kind": "folder", "images": str(options.images), **chosen},
        "calibration": {"images": str(options.calibration), **chosen},
        "weights": "synthetic",
        "speed": "assumed",
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def show(found: Figures) -> None:
    print(f"{found.name}: {found.decoding}")
    table = Table(*Row.HEADINGS)
    for row in found.rows:
        table.add_row(*row.texts)
    Console(width=150).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
