"""Backends of a package outside of fqbench, by nothing but its entry points."""

import json
import textwrap

import pytest

from tests.support.outside import install, python

MODEL = "digits_mobilenet_v1"

MODULE = """
from dataclasses import replace

from fqbench.environments import HERE
from fqbench.backends import Backend
from fqbench.backends.onnxruntime.runtime import OnnxRuntime


class Wrapped(OnnxRuntime):
    precisions = ("fp32",)

    def supports(self, device, precision):
        if device != "cpu":
            return "Wrapped runs on CPUs only"
        return None if precision in self.precisions else f"Wrapped runs no {precision}"


class WithInt8(Wrapped):
    precisions = ("fp32", "int8", "int8_all")


FLOAT = Backend(
    name="a_float",
    label="Wrapped in float",
    distributions={"wrapped": ("wrapped-backends",)},
    loads=(".onnx",),
    environment=HERE,
    runtime="wrapped:Wrapped",
    import_runtime="fqbench.backends.onnxruntime.runtime:import_runtime",
    side_by_side=True,
    bare_call=None,
    throughput=None,
    time_nodes=None,
    snippet="fqbench.backends.onnxruntime.snippet:snippet",
    conversion=None,
    engine=None,
    float16=None,
    saturates="never",
    int8=None,
)
INTEGERS = replace(
    FLOAT,
    name="wrapped",
    label="Wrapped",
    environment=HERE,
    runtime="wrapped:WithInt8",
    saturates="probed",
    int8="onnxruntime",
)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with the package, as if installed there."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "wrapped.py").write_text(textwrap.dedent(MODULE))
    points = {"wrapped": "wrapped:INTEGERS", "a_float": "wrapped:FLOAT"}
    install(folder, "wrapped-backends", {"fqbench.backends": points}, "3.2")
    return folder


def fqbench(package, *arguments, program="fqbench"):
    return python(package, "-m", program, *arguments)


@pytest.mark.slow
def test_listed_with_what_they_run_and_why_not(package):
    found = fqbench(package, "list", "--all", "--models", MODEL)
    assert found.returncode == 0, found.stderr
    lines = {line.partition("\t")[0]: line.partition("\t")[2] for line in cells(found.stdout)}
    assert lines[f"{MODEL}-a_float-cpu-fp32"] == ""
    assert lines[f"{MODEL}-a_float-cpu-int8"] == "cannot run: Wrapped runs no int8"
    assert lines[f"{MODEL}-wrapped-cpu-int8"] == ""
    assert lines[f"{MODEL}-wrapped-gpu-fp32"] == "cannot run: Wrapped runs on CPUs only"
    order = list(dict.fromkeys(cell.removeprefix(f"{MODEL}-").split("-")[0] for cell in lines))
    assert order == [
        "onnxruntime",
        "openvino",
        "paddle",
        "tensorrt",
        "tensorrt_rtx",
        "a_float",
        "wrapped",
    ]


def cells(text):
    return [line for line in text.splitlines() if line.strip().startswith(MODEL)]


@pytest.mark.slow
def test_one_that_cannot_be_loaded_ends_the_command_with_a_sentence(package, tmp_path):
    install(tmp_path, "lacking", {"fqbench.backends": {"some": "lacking:BACKEND"}})
    found = fqbench(tmp_path, "list")
    assert found.returncode == 2
    told = " ".join(found.stderr.split())
    assert "lacking:BACKEND cannot be loaded (ModuleNotFoundError" in told
    assert "repair or uninstall the package" in told
    assert "Traceback" not in told


@pytest.mark.slow
def test_run_in_fp32_and_in_the_int8_form_of_another(package, tmp_path):
    found = fqbench(
        package,
        *("run", "--models", MODEL, "--backends", "a_float", "wrapped", "--devices", "cpu"),
        *("--out", str(tmp_path / "out")),
        program="tests.support.quick_fqbench",
    )
    assert found.returncode == 0, found.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {row["cell"]: row for row in results["rows"]}
    ran = [f"{MODEL}-a_float-cpu-fp32", f"{MODEL}-wrapped-cpu-fp32", f"{MODEL}-wrapped-cpu-int8"]
    assert [cell for cell, row in rows.items() if row["status"] == "ok"] == ran
    assert all(rows[cell]["size_mb"] > 0 for cell in ran)
    assert rows[ran[0]]["accuracy"] == rows[ran[1]]["accuracy"]
    assert rows[ran[2]]["method"] == "offline"
    assert results["machine"]["versions"]["wrapped"] == "3.2"
    report = (tmp_path / "out" / "report.md").read_text()
    assert "| Wrapped in float |" in report
    assert "| Wrapped |" in report
