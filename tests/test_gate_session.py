"""``--fqbench-gate``: a session of pytest held to a baseline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fqbench import machine
from fqbench.gate.baseline import freeze
from fqbench.gate.stored import read_stored
from tests.stored_files import CELL, FP32, row, write

ROOT = Path(__file__).parents[1]

SESSION = """
import json, os, pytest
from fqbench import machine

class Clock:
    now = 0.0
    def __call__(self):
        return self.now

CLOCK = Clock()
TIMES = json.loads(os.environ["TIMES"])

@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("cell", TIMES)
def test_cell(cell, benchmark):
    def advance():
        CLOCK.now += TIMES[cell]
    benchmark.pedantic(advance, rounds=5)
    told = {"value": TIMES[cell] / 0.001, "ci95": [TIMES[cell] / 0.001] * 2}
    benchmark.extra_info.update(cell=cell, machine=machine.describe(1), in_kernels=told)
    assert "broken" not in cell

def test_another():
    pass
"""


def baseline(tmp_path: Path, **described) -> Path:
    """Of two cells that take 2 ms, or two units of the kernel, on this machine."""
    told = {"value": 2.0, "ci95": [2.0, 2.0]}
    rows = [row(cell, 2.0, in_kernels=told) for cell in (CELL, FP32)]
    results = write(tmp_path, *rows, machine={**machine.describe(1), **described})
    return freeze([read_stored(results)], {}, tmp_path / "baseline.json")


def session(
    tmp_path: Path, gate: Path, times: dict[str, float], *arguments: str
) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "test_session.py"
    path.write_text(SESSION)
    command = [sys.executable, "-m", "pytest", "-p", "fixtures.gate", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "--fqbench-gate", str(gate), *arguments, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TIMES": json.dumps(times), "COLUMNS": "150"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_cells_as_fast_as_the_baselines_pass(tmp_path):
    saved = f"--benchmark-json={tmp_path / 'saved.json'}"
    found = session(tmp_path, baseline(tmp_path), {CELL: 0.002, FP32: 0.002}, saved)
    assert found.returncode == 0, found.stdout
    assert "Nothing got worse: 2 cells compared." in found.stdout
    assert {row.cell for row in read_stored(tmp_path / "saved.json").runs[0].rows} == {CELL, FP32}


def test_slower_cell_fails_the_session(tmp_path):
    found = session(tmp_path, baseline(tmp_path), {CELL: 0.005, FP32: 0.002})
    assert found.returncode == 1, found.stdout
    assert "3 passed" in found.stdout
    assert "1 of 2 cells got worse: 1 slower." in found.stdout
    assert f"{CELL}: it takes 150 % more time" in found.stdout


def test_cells_that_were_not_chosen_are_not_missing(tmp_path):
    found = session(tmp_path, baseline(tmp_path), {CELL: 0.002})
    assert found.returncode == 0, found.stdout
    assert "1 cell of the baseline did not run here." in found.stdout


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({}, "No cell was timed, so nothing could be compared."),
        ({"new-paddle-cpu-int8": 0.002}, "Nothing could be compared."),
    ],
)
def test_nothing_to_compare(tmp_path, times, sentence):
    found = session(tmp_path, baseline(tmp_path), times)
    assert found.returncode == 2, found.stdout
    assert sentence in found.stdout


def test_failed_test_keeps_the_exit_status(tmp_path):
    found = session(tmp_path, baseline(tmp_path), {CELL: 0.002, "broken-paddle-cpu-int8": 0.002})
    assert found.returncode == 1, found.stdout
    assert "Nothing got worse: 1 cell compared; 1 could not be compared." in found.stdout


def test_baseline_of_another_machine_is_refused_before_anything_runs(tmp_path):
    path = baseline(tmp_path, cpu={**machine.cpu(), "isa": ["avx2", "amx_int8"]})
    found = session(tmp_path, path, {CELL: 0.002})
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert "HEAD lacks the instruction sets amx_int8" in found.stderr
    assert "passed" not in found.stdout


def test_baseline_that_is_none(tmp_path):
    found = session(tmp_path, tmp_path / "no.json", {CELL: 0.002})
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"cannot read {tmp_path / 'no.json'}" in found.stderr
