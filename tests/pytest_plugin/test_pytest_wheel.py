"""``docs/pytest.md`` as a user follows it: fqbench from a wheel, in a repository of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.environments import environment

ROOT = Path(__file__).parents[2]
OF_FQBENCH_ITSELF = {
    "test_evaluation.py",
    "test_margins.py",
    "test_overhead.py",
    "test_synthetic_weights.py",
}
"""Modules of the suites that no user's model is looked at by."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="builds the wheel; the extra dev brings it")
    folder = tmp_path_factory.mktemp("wheel")
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", *command, str(ROOT)], check=True, cwd=folder)
    (built,) = folder.glob("fqbench-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel, and the dependencies that are installed here."""
    return environment(tmp_path_factory.mktemp("environment"), wheel)


def files_of(document: str) -> dict[str, str]:
    """Blocks of code that begin with the name of a file."""
    return dict(re.findall(r"^```\w+\n# (\S+\.\w+)\n(.*?)^```$", document, flags=re.M | re.S))


def test_example_of_the_document(python: Path, tmp_path: Path) -> None:
    document = (ROOT / "docs/pytest.md").read_text()
    files = files_of(document)
    assert set(files) == {"make_model.py", "colours.yaml", "pyproject.toml", "test_int8.py"}
    for name, body in files.items():
        (tmp_path / name).write_text(body)
    _, block = re.findall(r"^```sh\n(.*?)^```$", document, flags=re.M | re.S)
    make, tests, conformance, benchmarks = block.splitlines()

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "FQBENCH"))
    }
    environment = {
        **kept,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "FQBENCH_CACHE": str(tmp_path / "cache"),
    }
    assert run("python -c 'import fqbench; print(fqbench.__file__)'").startswith(
        str(python.parents[1])
    )
    run(make)
    assert "6 passed, 2 skipped" in run(tests)
    shown = run(conformance)
    assert "4 passed" in shown
    assert "failed" not in shown
    assert "2 passed, 2 skipped" in run(benchmarks)
    measured = json.loads((tmp_path / "latency.json").read_text())["benchmarks"]
    cells = [f"colours-onnxruntime-cpu-{precision}" for precision in ("fp32", "int8")]
    assert [each["extra_info"]["cell"] for each in measured] == cells
    assert all(each["extra_info"]["machine"]["threads"] == 1 for each in measured)


def test_wheel_holds_the_suites_and_nothing_beside_the_package(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"fqbench", *(folder for folder in folders if folder.endswith(".dist-info"))}
    for suite in ("benchmarks", "conformance"):
        found = {Path(name).name for name in names if name.startswith(f"fqbench/suites/{suite}/")}
        here = {path.name for path in (ROOT / suite).iterdir() if path.is_file()}
        assert found == here - OF_FQBENCH_ITSELF
