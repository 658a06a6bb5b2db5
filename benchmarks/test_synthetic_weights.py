"""Synthetic weights take the time of trained ones; shown with ``pytest -s``.

Needs the real YOLOv5s of FQBENCH_DATA, whose weights are put into the zoo's own layers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fqbench import isolate
from fqbench.isolate.parent import _run, _Watch
from fqbench.measure import stats
from fqbench.measure.launches import MeasurementBudget, cell_process, narrow, record
from fqbench.zoo.published import PROCESSING, write_scenery

LIMIT = 0.03
"""Part of the latency by which the two may differ."""

NAME = "yolov5s"
PREPROCESS = PROCESSING[NAME].preprocess.model_dump(mode="json")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Canonical graphs: of the real file, of the zoo's layers with its weights, and synthetic."""
    data = os.environ.get("FQBENCH_DATA")
    source = Path(data, "models", "yolov5s_640.onnx") if data else None
    if source is None or not source.is_file():
        pytest.skip("FQBENCH_DATA holds no models/yolov5s_640.onnx")
    root = tmp_path_factory.mktemp("weights")
    exported = {name: root / f"{name}.exported" for name in ("trained", "synthetic")}
    for folder in exported.values():
        folder.mkdir()
    np.save(root / "image.npy", np.zeros((1, 3, 640, 640), np.float32))
    arguments = {
        "folder": str(exported["trained"]),
        "source": str(source),
        "image": str(root / "image.npy"),
    }
    watch = _Watch("export", timeout_s=300)
    _run("tests.support.network_functions:transplant", arguments, {}, watch)
    described = {"network": NAME, "preprocess": PREPROCESS, "code": []}
    perform("zoo_model", exported["synthetic"], described)
    files = {
        "official": (source, source),
        **{
            name: (folder / "model.pdmodel", folder / "model.pdiparams")
            for name, folder in exported.items()
        },
    }
    return {name: _canonical(root / name, *paths) for name, paths in files.items()}


def _canonical(folder: Path, source: Path, params: Path) -> Path:
    folder.mkdir()
    files = [str(path) for path in dict.fromkeys((source, params))]
    reading = {"preprocess": PREPROCESS, "inputs": ["x"]}
    shape = [1, 3, 640, 640]
    described = {"source": files, "images": [], "reading": reading, "input_shape": shape}
    perform("canonical", folder, described)
    return folder


def perform(step: str, folder: Path, described: dict[str, Any]) -> None:
    """Run a step in a child process."""
    arguments = {
        "function": f"fqbench.pipeline.steps:{step}",
        "job": {**described, "folder": str(folder)},
    }
    isolate.call("fqbench.steps.child:perform", arguments, timeout_s=300)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["trained", "official"])
def test_latency_does_not_depend_on_the_weights(
    other: str,
    artifacts: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_scenery(tmp_path)
    fed = {
        "preprocess": PREPROCESS,
        "inputs": ["image"],
        "backend": "onnxruntime",
        "device": "cpu",
    }
    cells = {
        name: {**fed, "artifact": str(artifacts[name]), "precision": "fp32"}
        for name in (other, "synthetic")
    }
    image = tmp_path / "images" / "0000.png"
    times = record(
        [cell_process(name, name, cell, image, threads=1) for name, cell in cells.items()],
        MeasurementBudget(longest=80.0),
        lambda sides: narrow([sides[name] for name in cells if name in sides]),
    ).times
    ratio = stats.ratio(times[other], times["synthetic"])
    medians = [stats.latency(times[name]).p50.value for name in (other, "synthetic")]
    with capsys.disabled():
        print(
            f"\n{NAME}: {other} {medians[0]:.1f} ms, synthetic {medians[1]:.1f} ms, ratio"
            f" {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
        )
    assert abs(ratio.value - 1) <= LIMIT
