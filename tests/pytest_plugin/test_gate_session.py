"""``--fqbench-gate``: a session of pytest held to a baseline."""

import json
from pathlib import Path

import pytest

from fqbench import hardware, machine
from fqbench.gate.stored.baseline import freeze
from fqbench.gate.stored.files import read_stored
from tests.support.stored_files import CELL, FP32, row, write

pytest_plugins = "pytester"

SESSION = """
import json, os, pytest
from fqbench import hardware, machine

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


@pytest.fixture
def session(pytester, monkeypatch):
    """Runs pytest on cells that take the given seconds, held to a baseline."""

    def run(gate: Path, times: dict[str, float], *arguments: str) -> pytest.RunResult:
        monkeypatch.setenv("TIMES", json.dumps(times))
        monkeypatch.setenv("COLUMNS", "150")
        # Beside others, pytest-benchmark times nothing.
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        pytester.makepyfile(SESSION)
        return pytester.runpytest_inprocess(
            "-p", "fqbench.pytest_plugin", "--fqbench-gate", str(gate), *arguments
        )

    return run


@pytest.mark.slow
def test_cells_as_fast_as_the_baselines_pass(session, tmp_path):
    saved = f"--benchmark-json={tmp_path / 'saved.json'}"
    found = session(baseline(tmp_path), {CELL: 0.002, FP32: 0.002}, saved)
    assert found.ret == 0
    assert "Nothing got worse: 2 cells compared." in found.stdout.str()
    assert {row.cell for row in read_stored(tmp_path / "saved.json").runs[0].rows} == {CELL, FP32}


@pytest.mark.slow
def test_slower_cell_fails_the_session(session, tmp_path):
    found = session(baseline(tmp_path), {CELL: 0.005, FP32: 0.002})
    assert found.ret == 1
    assert "3 passed" in found.stdout.str()
    assert "1 of 2 cells got worse: 1 slower." in found.stdout.str()
    assert f"{CELL}: stored times cannot be measured again" in found.stdout.str()


@pytest.mark.slow
def test_cells_that_were_not_chosen_are_not_missing(session, tmp_path):
    found = session(baseline(tmp_path), {CELL: 0.002})
    assert found.ret == 0
    assert "1 cell of the baseline did not run here." in found.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({}, "No cell was timed, so nothing could be compared."),
        ({"new-paddle-cpu-int8": 0.002}, "Nothing could be compared."),
    ],
)
def test_nothing_to_compare(session, tmp_path, times, sentence):
    found = session(baseline(tmp_path), times)
    assert found.ret == 2
    assert sentence in found.stdout.str()


@pytest.mark.slow
def test_failed_test_keeps_the_exit_status(session, tmp_path):
    found = session(baseline(tmp_path), {CELL: 0.002, "broken-paddle-cpu-int8": 0.002})
    assert found.ret == 1
    assert "Nothing got worse: 1 cell compared; 1 could not be compared." in found.stdout.str()


def test_baseline_of_another_machine_is_refused_before_anything_runs(session, tmp_path):
    path = baseline(tmp_path, cpu={**hardware.cpu(), "isa": ["avx2", "of_tomorrow"]})
    found = session(path, {CELL: 0.002})
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "HEAD lacks the instruction sets of_tomorrow" in found.stderr.str()
    assert "passed" not in found.stdout.str()


def test_baseline_that_is_none(session, tmp_path):
    found = session(tmp_path / "no.json", {CELL: 0.002})
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert f"cannot read {tmp_path / 'no.json'}" in found.stderr.str()
