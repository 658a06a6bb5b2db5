"""Methods and a precision that another package brings by entry points: everything works with them,
as with ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fqbench.artifacts import Store
from fqbench.pipeline.zoo_models import embedded
from tests.support import outside
from tests.support.paddle import needs_paddle
from tests.support.tiny_spec import write_spec

MODEL = "digits_mobilenet_v1"
MARGIN = {"drop": 100.0, "source": "a test", "reason": "what it loses is not what is tested"}

POINTS = {
    "fqbench.backends": {"wrapped": "BACKEND"},
    "fqbench.methods": {"nearest": "NEAREST", "static": "STATIC"},
    "fqbench.precisions": {"tf32": "TF32"},
}


def install(site: Path, points: dict[str, dict[str, str]]) -> None:
    """A package with these records of the module of tests, as if it were installed in ``site``."""
    named = {
        group: {name: f"outside_methods:{value}" for name, value in found.items()}
        for group, found in points.items()
    }
    outside.install(site, "outside", named)
    shutil.copy(outside.ROOT / "tests/support/outside_methods.py", site)


def python(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return outside.python(home, *arguments)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    folder = tmp_path_factory.mktemp("outside")
    install(folder, POINTS)
    return folder


@pytest.fixture(scope="module")
def spec(home: Path, shared_cache: Path) -> Path:
    """An embedded model with a part of its images, and a margin for a method of the package."""
    own = embedded(MODEL, Store(shared_cache))
    content = json.loads(own.model_dump_json(exclude_defaults=True))
    content["dataset"]["count"], content["calibration"]["count"] = 100, 8
    content |= {"name": "digits", "speed": "assumed"}
    content["margins"] = [{**MARGIN, "method": "nearest"}, {**MARGIN, "method": "static"}]
    path = home / "digits.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def rows_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "results.json").read_text())["rows"]
    return {row["cell"]: row for row in found}


def run(home: Path, spec: Path, *options: str) -> tuple[dict[str, Any], tuple[str, str]]:
    """Rows by their cells, and both reports."""
    out = home / "-".join(options)
    found = python(
        home,
        *(
            "-m",
            "tests.support.quick_fqbench",
            "run",
            "--verbose",
            "--spec",
            spec,
            "--devices",
            "cpu",
        ),
        *(*options, "--out", out),
    )
    assert found.returncode == 0, found.stderr
    return rows_of(out), (found.stdout, (out / "report.md").read_text())


@pytest.mark.slow
def test_they_are_listed_and_offered(home: Path, spec: Path) -> None:
    found = python(home, "-m", "fqbench", "list", "--all", "--spec", spec, "--precisions", "tf32")
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.partition("\t") for line in found.stdout.splitlines()]
    states = {cell: state for cell, _, state in lines}
    assert states["digits-wrapped-cpu-tf32"] == ""
    reason = "cannot run: fqbench's own backends do not know the precision tf32"
    for backend in ("onnxruntime", "paddle"):
        assert states[f"digits-{backend}-cpu-tf32"] == reason
    found = python(home, "-m", "fqbench", "run", "--help")
    offered = re.search(r"--method \{(offline,[a-z_,]+)\}", found.stdout)
    assert offered is not None
    assert offered[1].split(",")[-2:] == ["nearest", "static"]


@needs_paddle
@pytest.mark.slow
def test_a_quantization_is_chosen_and_lowered_for_each_backend(home: Path, spec: Path) -> None:
    rows, reports = run(home, spec, "--method", "nearest", "--backends", "onnxruntime", "paddle")
    for backend in ("onnxruntime", "paddle"):
        row = rows[f"digits-{backend}-cpu-int8"]
        assert (row["status"], row["method"], row["margin"]) == ("ok", "nearest", 100.0)
        assert row["accuracy"] > 50
        assert row["int8_convolutions"] == row["int8_planned"] > 0
        assert row["quantize_s"] > 0
    for report in reports:
        assert "nearest codes" in report
    assert "| nearest codes | " in reports[1]
    assert "| static quantizer |" not in reports[1]
    assert re.search(r"^Not measured in this run: .*static quantizer\.$", reports[1], re.MULTILINE)


@needs_paddle
@pytest.mark.slow
def test_a_whole_model_has_a_row_without_choice_or_layers(home: Path, spec: Path) -> None:
    rows, reports = run(home, spec, "--method", "static", "--backends", "onnxruntime", "paddle")
    row = rows["digits-onnxruntime-cpu-int8"]
    assert (row["status"], row["reason"], row["method"]) == ("ok", None, "static")
    assert row["accuracy"] > 50
    assert row["int8_convolutions"] > 0
    assert row["drop"] is not None
    assert row["quantize_s"] > 0
    empty = ("convolutions", "int8_planned", "slowdown", "calibration", "drop_all_int8", "cpu")
    assert [row[key] for key in empty] == [None] * len(empty)
    assert (row["float_layers"], row["layers"]) == ({}, [])
    other = rows["digits-paddle-cpu-int8"]
    assert other["status"] == "unsupported"
    assert other["reason"] == "static quantizer makes INT8 models for ONNX Runtime only"
    for report in reports:
        assert "static quantizer" in report


@pytest.mark.slow
def test_a_precision_has_rows_under_its_label(home: Path, spec: Path) -> None:
    rows, reports = run(
        home, spec, "--precisions", "fp32", "tf32", "--backends", "wrapped", "onnxruntime"
    )
    assert list(rows) == [
        "digits-onnxruntime-cpu-fp32",
        "digits-wrapped-cpu-fp32",
        "digits-wrapped-cpu-tf32",
    ]
    row = rows["digits-wrapped-cpu-tf32"]
    assert (row["status"], row["method"], row["precision"]) == ("ok", "tensorfloat32", "tf32")
    assert row["hashes"]["files"] != rows["digits-wrapped-cpu-fp32"]["hashes"]["files"]
    assert row["ratio"] is not None
    assert row["roofline"] is not None
    for report in reports:
        assert " (TF32)" in report
        assert "TF32, nothing quantized" in report
    assert "FP32, TF32" in reports[1]


@needs_paddle
@pytest.mark.slow
@pytest.mark.parametrize("method", ["nearest", "static"])
def test_its_models_conform(home: Path, spec: Path, method: str) -> None:
    found = python(
        home,
        *("-m", "pytest", "conformance", "-q", "-rs", "-p", "no:cacheprovider"),
        *("--spec", spec, "--backends", "onnxruntime,paddle", "--devices", "cpu"),
        *("--method", method),
    )
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout
    told = " ".join(found.stdout.split())
    skipped = (
        "the method static does not say which layers it quantizes",
        "static quantizer makes INT8 models for ONNX Runtime only",
    )
    for reason in skipped:
        assert (reason in told) == (method == "static")


@pytest.mark.slow
def test_its_cells_are_timed_as_benchmarks(home: Path, spec: Path) -> None:
    found = python(
        home,
        *("-m", "pytest", "benchmarks/test_latency.py", "-q", "-p", "no:cacheprovider"),
        *("--spec", spec, "--backends", "wrapped", "--devices", "cpu"),
        *("--precisions", "fp32,tf32", "--benchmark-json", home / "latency.json"),
    )
    assert found.returncode == 0, found.stdout
    timed = json.loads((home / "latency.json").read_text())["benchmarks"]
    cells = [each["extra_info"]["cell"] for each in timed]
    assert cells == ["digits-wrapped-cpu-fp32", "digits-wrapped-cpu-tf32"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (
            {"fqbench.methods": {"offline": "NEAREST"}},
            "the name is taken by package fqbench",
        ),
        (
            {"fqbench.methods": {"closest": "NEAREST"}},
            "calls itself 'nearest'",
        ),
        (
            {"fqbench.methods": {"nearest": "TF32"}},
            "expected fqbench.methods.record.Method",
        ),
        (
            {"fqbench.precisions": {"tf32": "NOTHING"}},
            "cannot be loaded (AttributeError",
        ),
    ],
)
def test_one_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, points: dict[str, dict[str, str]], sentence: str
) -> None:
    install(tmp_path, points)
    found = python(tmp_path, "-m", "fqbench", "list", "--spec", write_spec(tmp_path / "project"))
    assert found.returncode == 2
    said = found.stderr.strip()
    assert said.startswith("fqbench: ")
    assert sentence in said
    assert "\n" not in said


@pytest.mark.slow
def test_margins_know_the_methods_that_are_there(tmp_path: Path) -> None:
    path = write_spec(tmp_path, margins=[{**MARGIN, "method": "nearest"}])
    found = python(tmp_path, "-m", "fqbench", "list", "--spec", path)
    assert found.returncode == 2
    assert "expected 'offline', 'distillation'" in found.stderr
    assert "found 'nearest'" in found.stderr
