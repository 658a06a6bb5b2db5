"""A package outside of fqbench adds a backend, a task with a metric, a method and a precision, by
entry points alone; each runs through ``fqbench run``, ``list``, ``gate``, ``compress`` where it
applies, ``pytest benchmarks``, ``pytest conformance`` and both reports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import outside, stored_files
from tests.support.environments import environment, packages
from tests.support.repository import git
from tests.support.tiny_config import MISSING, write_config
from tests.support.tiny_spec import write_spec

FILES = ("gate.md", "gate.json", "gate.html")
FP32, TF32, INT8 = CELLS = [f"tiny-delayed-cpu-{each}" for each in ("fp32", "tf32", "int8")]
PRECISIONS = ("fp32", "tf32", "int8")
ASKED = ("--backends", "delayed", "--devices", "cpu", "--method", "nearest")
MARGIN = {"drop": 100.0, "source": "a test", "reason": "what it loses is not what is tested"}
NOT_WORSE = {"same", "faster", "unclear"}
"""On a disturbed machine little may be known of a cell that is as fast as before."""


def spec_in(folder: Path) -> Path:
    """A spec of the package's task, with data of the task's own kind."""
    margins = [{**MARGIN, "method": "nearest"}]
    dataset = {"kind": "named", "images": "images", "classes": "classes.json"}
    decode = {"kind": "guesses"}
    path = write_spec(folder, task="guessing", decode=decode, dataset=dataset, margins=margins)
    listed = (line.split() for line in (folder / "list.txt").read_text().splitlines())
    (folder / "classes.json").write_text(json.dumps({name: int(c) for name, c in listed}))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    folder = tmp_path_factory.mktemp("outside")
    outside.install_package(folder)
    return folder


@pytest.fixture(scope="module")
def spec(home: Path) -> Path:
    return spec_in(home / "project")


def python(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return outside.python(home, *arguments)


@pytest.mark.slow
def test_list(home: Path, spec: Path) -> None:
    found = python(home, *("-m", "fqbench", "list", "--all", "--spec", spec))
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.partition("\t") for line in found.stdout.splitlines()]
    states = {cell: state for cell, _, state in lines}
    assert {cell: states[cell] for cell in CELLS} == dict.fromkeys(CELLS, "")
    assert states["tiny-paddle-cpu-tf32"].startswith("cannot run: fqbench's own backends do not")


@pytest.fixture(scope="module")
def ran(home: Path, spec: Path) -> subprocess.CompletedProcess[str]:
    """``fqbench run``, which hardly times; its results are in the folder ``out``."""
    found = python(
        home,
        *("-m", "tests.support.quick_fqbench", "run", "--verbose", "--spec", spec, *ASKED),
        *("--precisions", *PRECISIONS, "--out", home / "out"),
    )
    assert found.returncode == 0, found.stderr
    return found


@pytest.mark.slow
def test_run(home: Path, ran: subprocess.CompletedProcess[str]) -> None:
    results = json.loads((home / "out/results.json").read_text())
    rows = {row["cell"]: row for row in results["rows"]}
    assert list(rows) == CELLS
    assert {(row["status"], row["metric"]) for row in rows.values()} == {("ok", "guessed")}
    assert {(row["dataset"], row["images"]) for row in rows.values()} == {("classes.json", 12)}
    assert [rows[cell]["method"] for cell in CELLS] == [None, "tensorfloat32", "nearest"]
    assert rows[INT8]["int8_convolutions"] == rows[INT8]["int8_planned"] > 0
    assert results["machine"]["versions"]["delayed"] == "1.0"


@pytest.mark.slow
def test_both_reports(home: Path, ran: subprocess.CompletedProcess[str]) -> None:
    for report in (ran.stdout, (home / "out/report.md").read_text()):
        for label in ("Delayed Runtime", "best of two", "nearest codes", "TF32"):
            assert label in report


@pytest.mark.slow
def test_pytest_conformance(home: Path, spec: Path) -> None:
    found = python(
        home,
        *("-m", "pytest", "conformance", "-q", "-rs", "-p", "no:cacheprovider", "--spec", spec),
        *ASKED,
    )
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout


@pytest.mark.slow
def test_pytest_benchmarks(home: Path, spec: Path) -> None:
    found = python(
        home,
        *("-m", "pytest", "benchmarks/test_latency.py", "-q", "-p", "no:cacheprovider"),
        *("--spec", spec, *ASKED, "--precisions", ",".join(PRECISIONS)),
        *("--benchmark-json", home / "latency.json"),
    )
    assert found.returncode == 0, found.stdout
    timed = json.loads((home / "latency.json").read_text())["benchmarks"]
    assert [each["extra_info"]["cell"] for each in timed] == CELLS


class TestCompress:
    """The method and the backend: tasks and precisions are no part of it."""

    def compress(
        self, home: Path, folder: Path, method: str, changes: Mapping[str, object]
    ) -> subprocess.CompletedProcess[str]:
        config = write_config(folder, changes)
        return python(
            home,
            *("-m", "fqbench", "compress", "--config_path", config, "--data-root", folder),
            *("--method", method, "--save_dir", folder / "out"),
        )

    def files(self, folder: Path) -> set[str]:
        found = (path for path in folder.glob("*/*") if path.is_file())
        return {path.relative_to(folder).as_posix() for path in found}

    @pytest.mark.slow
    def test_a_quantization_is_lowered_for_each_backend(self, home: Path, tmp_path: Path) -> None:
        skipped = {
            "PTQ.skip_tensor_list": ["n_conv2"],
            "QuantAware.quantize_op_types": MISSING,
        }
        found = self.compress(home, tmp_path, "nearest", skipped)
        assert found.returncode == 0, found.stderr
        report = json.loads((tmp_path / "out/report.json").read_text())
        assert report["method"] == "nearest"
        by_backend = {each["backend"]: each for each in report["backends"] if each["files"]}
        assert {*by_backend} - {"openvino"} == {"onnxruntime", "paddle", "delayed"}
        assert {*self.files(tmp_path / "out")} - {"openvino/model.onnx"} == {
            "onnxruntime/model.onnx",
            "paddle/model.pdmodel",
            "paddle/model.pdiparams",
            "delayed/model.onnx",
        }
        for made in by_backend.values():
            assert made["float_layers"]["n_conv2"] == "PTQ.skip_tensor_list names n_conv2"
            assert made["int8_layers"] > 0
        told = {each["key"]: each["meaning"] for each in report["settings"]}
        assert told["PTQ.calibration_method"] == (
            "given to the method nearest, which may use it or not"
        )
        for shown in (found.stdout, (tmp_path / "out/report.md").read_text()):
            assert "Delayed Runtime" in shown
        assert "nearest codes, 8 images calibrate" in (tmp_path / "out/report.md").read_text()

    @pytest.mark.slow
    def test_a_whole_model_is_delivered_as_it_is(self, home: Path, tmp_path: Path) -> None:
        changes = {"QuantAware.quantize_op_types": MISSING}
        found = self.compress(home, tmp_path, "static", changes)
        assert found.returncode == 0, found.stderr
        assert self.files(tmp_path / "out") == {"onnxruntime/model.onnx"}
        (made,) = json.loads((tmp_path / "out/report.json").read_text())["backends"]
        assert made["backend"] == "onnxruntime"
        assert made["fp32_mb"] > 0 < made["int8_mb"]
        assert made["seconds"] > 0
        unknown = ("reason", "layers", "int8_layers", "error", "points", "ratio")
        assert [made[key] for key in unknown] == [None] * len(unknown)
        told = " ".join(found.stdout.split())
        assert "ONNX Runtime: written as the method made it; which layers are in INT8, and" in told
        assert "as estimated" not in told

    @pytest.mark.slow
    def test_a_whole_model_keeps_no_layers_in_float(self, home: Path, tmp_path: Path) -> None:
        found = self.compress(home, tmp_path, "static", {})
        assert found.returncode == 2
        assert found.stderr.strip().splitlines()[-1] == (
            "fqbench: QuantAware.quantize_op_types does not name mul, and the method static makes"
            " whole models, of which no layer can be kept in float: take the key out, or use"
            " another method"
        )

    @pytest.mark.slow
    def test_a_method_for_no_backend_on_the_device(self, home: Path, tmp_path: Path) -> None:
        config = write_config(tmp_path)
        found = python(
            home,
            *("-m", "fqbench", "compress", "--config_path", config, "--method", "static"),
            *("--devices", "gpu", "--save_dir", tmp_path / "out"),
        )
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr == (
            "fqbench: the method static makes INT8 models for no backend on GPU: choose other"
            " --devices, or another method\n"
        )

    @pytest.mark.slow
    def test_names_that_there_are(self, home: Path, tmp_path: Path) -> None:
        found = self.compress(home, tmp_path, "static_qdq", {})
        assert (found.returncode, found.stderr) == (
            2,
            "fqbench: there is no method 'static_qdq': the methods are PTQ, QAT, offline,"
            " distillation, modelopt, nncf, nncf_accuracy, nncf_advised, ort_advised, ort_static,"
            " paddleslim_ptq, paddleslim_published, nearest, static\n",
        )


def verdicts(folder: Path) -> dict[str, str]:
    """By cell, as ``gate.json`` in ``folder`` has them."""
    cells = json.loads((folder / "gate.json").read_text())["cells"]
    return {each["cell"]: each["status"] for each in cells}


class TestGateOnStoredResults:
    def gate(self, site: Path, base: Path, head: Path, out: Path) -> tuple[int, str]:
        found = outside.python(site, "-m", "fqbench", "gate", base, head, "--out", out)
        return found.returncode, found.stderr

    @pytest.mark.slow
    @pytest.mark.parametrize("installed", [True, False])
    def test_what_ran_is_judged_whether_the_package_is_there_or_not(
        self,
        home: Path,
        ran: subprocess.CompletedProcess[str],
        tmp_path: Path,
        *,
        installed: bool,
    ) -> None:
        results = home / "out/results.json"
        code, said = self.gate(home if installed else tmp_path, results, results, tmp_path)
        # So little was timed that on a busy machine nothing may show.
        assert code in (0, 2), said
        found = verdicts(tmp_path)
        assert list(found) == CELLS
        assert set(found.values()) <= {"same", "unclear"}

    def side(self, folder: Path, ms: float, version: str = "1.0") -> Path:
        machine: dict[str, Any] = {**stored_files.MACHINE}
        machine["versions"] = {**machine["versions"], "delayed": version}
        rows = [stored_files.row(cell, ms) for cell in CELLS]
        times = stored_files.group(dict.fromkeys(CELLS, ms))
        return stored_files.write(folder, *rows, groups=[times], machine=machine)

    @pytest.mark.slow
    @pytest.mark.parametrize("installed", [True, False])
    @pytest.mark.parametrize(("ms", "verdict", "code"), [(2.0, "same", 0), (4.0, "slower", 1)])
    def test_slower_cells_are_found(
        self, home: Path, tmp_path: Path, ms: float, verdict: str, code: int, *, installed: bool
    ) -> None:
        base, head = self.side(tmp_path / "base", 2.0), self.side(tmp_path / "head", ms)
        site = home if installed else tmp_path
        assert self.gate(site, base, head, tmp_path) == (code, self.written(tmp_path))
        assert verdicts(tmp_path) == dict.fromkeys(CELLS, verdict)

    def written(self, folder: Path) -> str:
        return "".join(f"Written: {folder / name}\n" for name in FILES)

    @pytest.mark.slow
    @pytest.mark.parametrize("installed", [True, False])
    def test_another_version_of_the_runtime(
        self, home: Path, tmp_path: Path, *, installed: bool
    ) -> None:
        base = self.side(tmp_path / "base", 2.0)
        head = self.side(tmp_path / "head", 2.0, version="1.1")
        code, said = self.gate(home if installed else tmp_path, base, head, tmp_path)
        assert code == 2
        assert "delayed 1.0 (BASE) and 1.1 (HEAD)" in said


def edited(folder: Path, module: str, pattern: str, text: str) -> None:
    path = folder / f"{module}.py"
    content, count = re.subn(pattern, text, path.read_text())
    assert count == 1
    path.write_text(content)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's own, and a model's: versions by their tags."""
    folder = tmp_path_factory.mktemp("repository")

    def version(tag: str) -> None:
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--allow-empty", "-m", tag)
        git(folder, "tag", tag)

    git(folder, "init", "--quiet", "--initial-branch=main")
    spec_in(folder / "project")
    version("without")
    outside.write_project(folder)
    version("first")
    (folder / "README").write_text("What it is.\n")
    version("documented")
    edited(folder, "outside_backend", r"SLOWDOWN = 0\.0", "SLOWDOWN = 0.0  # none")
    version("equal")
    edited(folder, "outside_backend", r"SLOWDOWN = 0\.0", "SLOWDOWN = 2.0")
    version("slower")
    edited(folder, "outside_task", r"Guessed\(tuple\(np.*\)\)", "Guessed(())")
    version("wrong")
    return folder


@pytest.mark.slow
class TestGateOnVersions:
    """The package is not installed: each version runs its own."""

    def gate(
        self, repository: Path, folder: Path, base: str, head: str, *options: object
    ) -> subprocess.CompletedProcess[str]:
        """Both sides share a cache, as they do in a pull request's job."""
        return outside.python(
            folder,
            *("-m", "fqbench", "gate", "--base", base, "--head", head, "--out", folder / "out"),
            *("--spec", "project/tiny.yaml", "--seconds", "10", *options),
            cache=repository.parent / "gate-cache",
            folder=repository,
        )

    def test_slower(self, repository: Path, tmp_path: Path) -> None:
        options = (*ASKED, "--precisions", "tf32", "int8")
        found = self.gate(repository, tmp_path, "first", "slower", *options)
        assert found.returncode == 1, found.stderr
        assert verdicts(tmp_path / "out") == dict.fromkeys([TF32, INT8], "slower")

    def test_equal(self, repository: Path, tmp_path: Path) -> None:
        options = (*ASKED, "--precisions", "fp32", "int8")
        found = self.gate(repository, tmp_path, "first", "equal", *options)
        # Nothing is known where all is unclear.
        assert found.returncode in (0, 2), found.stdout
        judged = verdicts(tmp_path / "out")
        assert list(judged) == [FP32, INT8]
        assert set(judged.values()) <= NOT_WORSE

    def test_what_a_change_does_not_touch_is_not_timed(
        self, repository: Path, tmp_path: Path
    ) -> None:
        options = (*ASKED, "--precisions", *PRECISIONS)
        found = self.gate(repository, tmp_path, "first", "documented", *options)
        assert found.returncode == 0, found.stderr
        assert verdicts(tmp_path / "out") == dict.fromkeys(CELLS, "unchanged")

    def test_less_accurate(self, repository: Path, tmp_path: Path) -> None:
        """By the task's code alone: the package's version is the same, and so are its files."""
        found = self.gate(repository, tmp_path, "slower", "wrong", *ASKED, "--precisions", "fp32")
        assert found.returncode == 1, found.stderr
        assert verdicts(tmp_path / "out") == {FP32: "less accurate"}

    def test_what_a_version_does_not_have(self, repository: Path, tmp_path: Path) -> None:
        """A spec of its task cannot be used without it, so that cells fail in that version."""
        found = self.gate(repository, tmp_path, "without", "first", *ASKED)
        assert found.returncode == 2, found.stderr
        assert verdicts(tmp_path / "out") == dict.fromkeys(CELLS, "new")
        found = self.gate(repository, tmp_path, "first", "without", *ASKED)
        assert found.returncode == 1, found.stderr
        assert verdicts(tmp_path / "out") == dict.fromkeys(CELLS, "missing")

    def test_what_no_version_has(self, repository: Path, tmp_path: Path) -> None:
        found = self.gate(repository, tmp_path, "first", "first", "--backends", "delaid")
        assert found.returncode == 2
        assert re.search(
            r"fqbench: neither BASE \(first, \w+\) nor HEAD \(first, \w+\) has 'delaid' among its"
            r" backends\n$",
            found.stderr,
        )

    def test_environments_that_are_there(self, repository: Path, tmp_path: Path) -> None:
        """The package is installed in these: what is in the repository is left alone."""
        pythons = []
        for number, slowdown in enumerate(("0.0", "2.0")):
            made = environment(tmp_path / str(number), first=(outside.ROOT,))
            outside.install_package(packages(made))
            edited(packages(made), "outside_backend", r"= 0\.0", f"= {slowdown}")
            pythons.append(made)
        bare = environment(tmp_path / "bare", first=(outside.ROOT,))
        options = (*ASKED, "--precisions", "fp32")
        sides = ("--base-python", pythons[0], "--head-python", pythons[1])
        found = self.gate(repository, tmp_path, "without", "without", *options, *sides)
        assert found.returncode == 1, found.stderr
        assert verdicts(tmp_path / "out") == {FP32: "slower"}
        shutil.rmtree(tmp_path / "out")
        sides = ("--base-python", pythons[0], "--head-python", bare)
        found = self.gate(repository, tmp_path, "without", "without", *options, *sides)
        assert found.returncode == 1, found.stderr
        assert verdicts(tmp_path / "out") == {FP32: "missing"}
