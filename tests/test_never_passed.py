"""On a machine without a GPU, no test that needs one passes: each is skipped, with the reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fqbench.backends import nvidia
from fqbench.cells import Cell, matrix

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_gpu_tests_are_skipped_with_the_reason_that_was_found(tmp_path: Path) -> None:
    why = nvidia.why_no_gpu()
    if why is None:
        pytest.skip("there is a GPU")
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", f"--junit-xml={report}"]
    chosen = ["-p", "no:cacheprovider", "--models", "digits_mobilenet_v1"]
    suites = ["benchmarks", "conformance", "tests/test_gpu.py"]
    # Beside others, pytest-benchmark warns that it times nothing.
    beside = {name: text for name, text in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment = {**beside, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run(
        [*command, *chosen, *suites], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    told = {str(case.get("name")): case.find("skipped") for case in cases}
    known = {cell.unsupported for cell in matrix(["any"], devices=["gpu"])}
    for name, skipped in told.items():
        assert skipped is not None, name
        assert skipped.get("message") in known, name
    assert " passed" not in done.stdout
    for backend in ("tensorrt", "tensorrt_rtx"):
        assert Cell("any", backend, "gpu", "int8").unsupported == why
        assert any(f"-{backend}-gpu" in name for name in told)
