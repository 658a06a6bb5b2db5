"""Stored results: read whole, or refused in one sentence."""

import json
import time
from pathlib import Path

import pytest

from fqbench.errors import UsageError
from fqbench.gate.stored.files import read_stored
from fqbench.measure.stats import Interval
from tests.support.stored_files import CELL, FP32, MACHINE, benchmark, group, row, timed, write


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_stored(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def changed(path: Path, change) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_results_with_their_samples(tmp_path):
    found = read_stored(timed(tmp_path, ms=2.0))
    (run,) = found.runs
    assert (found.kind, found.notes) == ("results", ())
    assert found.machine.cpu.isa == ("avx2", "fma", "avx512f", "avx512_vnni")
    assert run.by_cell[CELL].latency_ms.p50 == 2.0
    assert run.group(CELL).cells[CELL][0][0] == (0.002, 0.002)
    assert set(run.group(CELL).reference) == {"float32", "int8", "copy"}


def test_samples_of_another_run_are_left_out(tmp_path):
    path = timed(tmp_path, ms=2.0)
    changed(tmp_path / "samples.json", lambda content: content.update(created="2025"))
    found = read_stored(path)
    assert found.runs[0].group(CELL) is None
    assert found.notes == (
        f"{tmp_path / 'samples.json'} is of another run (created 2025) and was left out",
    )


def test_results_without_samples_say_so(tmp_path):
    found = read_stored(write(tmp_path, row()))
    assert found.notes == (f"there is no samples.json beside {tmp_path / 'results.json'}",)


def test_benchmarks_of_anybody(tmp_path):
    found = read_stored(benchmark(tmp_path / "b.json", {"t.py::a": 0.1, "t.py::b[x]": 0.002}))
    (run,) = found.runs
    assert found.kind == "pytest-benchmark"
    assert {cell: each.latency_ms.p50 for cell, each in run.by_cell.items()} == {
        "t.py::a": 100.0,
        "t.py::b[x]": 2.0,
    }
    assert (found.machine.cpu.model, found.machine.cpu.isa) == ("Some CPU", ("avx2", "fma"))
    assert found.machine.versions == {"python": "3.11.7"}


def test_benchmarks_of_ours_carry_cell_machine_and_samples(tmp_path):
    info = {"cell": CELL, "machine": MACHINE, "ratio": {"value": 2.5, "ci95": [2.4, 2.6]}}
    path = benchmark(tmp_path / "b.json", {"t.py::a": 0.002}, **info, in_kernels=info["ratio"])
    found = read_stored(path)
    (only,) = found.runs[0].rows
    assert (only.cell, only.precision, only.ratio.value) == (CELL, "int8", 2.5)
    assert found.machine.versions["onnxruntime"] == "1.26.0"
    assert only.in_kernels.interval == Interval(2.5, 2.4, 2.6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not valid JSON: Expecting value"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "holds no stored results: expected a JSON object"),
        ('{"a": 1}', "holds no stored results: expected fqbench's results.json or baseline"),
        ('{"rows": [], "rows": []}', "the key 'rows' is written twice"),
        ('{"rows": NaN}', "NaN is no number"),
        ('{"rows": 1' + "0" * 5000 + "}", "is not valid JSON"),
        ('{"schema": 2, "created": "", "machine": {}, "rows": []}', "key schema: expected 1"),
        ('{"schema": 1, "created": "", "machine": {}}{', "is not valid JSON"),
        ('{"rows": []}', "key schema is missing"),
    ],
)
def test_file_that_is_none(tmp_path, text, sentence):
    path = tmp_path / "x.json"
    path.write_text(text)
    found = refusal(path)
    assert found.startswith(str(path))
    assert sentence in found


def test_a_doubled_key_among_many_is_found_at_once(tmp_path):
    path = tmp_path / "x.json"
    keys = [f'"{i}": 0' for i in range(40_000)]
    path.write_text(f"{{{', '.join([*keys, keys[-1]])}}}")
    start = time.process_time()
    assert "the key '39999' is written twice" in refusal(path)
    assert time.process_time() - start < 2


def test_file_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "no.json") == (
        f"cannot read {tmp_path / 'no.json'}: No such file or directory"
        "; name a file that can be read"
    )


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not valid JSON" in refusal(path)


def test_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("fqbench.gate.stored.files.SIZE_LIMIT", 100)
    assert "is too large for stored results: 100 bytes are allowed" in refusal(
        write(tmp_path, row())
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"latency_ms": {"p50": 0}},
            "key rows.0.latency_ms.p50: expected a positive number",
        ),
        ({"latency_ms": {"p50": "2"}}, "key rows.0.latency_ms.p50: expected a valid number"),
        ({"latency_ms": {"p50": 1e999}}, "is no number"),
        ({"status": "fine"}, "key rows.0.status: expected 'ok'"),
        ({"cell": "a\x1b[31m"}, "key rows.0.cell: expected a name of printable characters"),
        ({"cell": "x" * 501}, "key rows.0.cell: String should have at most 500 characters"),
        ({"accuracy": 100.5}, "key rows.0.accuracy: expected less than or equal to 100"),
        ({"accuracy": float("nan")}, "NaN is no number"),
        ({"drop": {"value": 1.0}}, "key rows.0.drop.ci95 is missing"),
    ],
)
def test_row_that_is_wrong(tmp_path, values, sentence):
    path = write(tmp_path, row())
    assert sentence in refusal(changed(path, lambda c: c["rows"][0].update(values)))


def test_cell_with_two_rows(tmp_path):
    assert f"cell {CELL} has two rows" in refusal(write(tmp_path, row(), row()))


def test_benchmark_that_is_there_twice(tmp_path):
    path = benchmark(tmp_path / "b.json", {"t.py::a": 0.1})
    changed(path, lambda c: c["benchmarks"].append(c["benchmarks"][0]))
    assert "cell t.py::a has two rows" in refusal(path)


def test_benchmarks_of_two_machines(tmp_path):
    path = benchmark(tmp_path / "b.json", {"t.py::a": 0.1, "t.py::b": 0.1})

    def move(content):
        for number, each in enumerate(content["benchmarks"], start=1):
            each["extra_info"] = {"cell": f"c{number}-x-cpu-int8", "machine": {"threads": number}}

    assert "were measured on different machines" in refusal(changed(path, move))


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({CELL: []}, "has a launch or a round without times"),
        ({CELL: [[]]}, "has a launch or a round without times"),
        ({CELL: [[[]]]}, "has a launch or a round without times"),
        ({CELL: [[[0.0]]]}, "expected a positive number"),
        ({CELL: [[[1.0]]], FP32: [[[1.0], [1.0]]]}, "has other launches or rounds"),
    ],
)
def test_samples_that_are_wrong(tmp_path, times, sentence):
    groups = [{"cells": times, "reference": {}}]
    path = write(tmp_path, row(), groups=groups)
    found = refusal(path)
    assert str(tmp_path / "samples.json") in found
    assert sentence in found


def test_cell_in_two_groups(tmp_path):
    path = write(tmp_path, row(), groups=[group({CELL: 1.0}), group({CELL: 1.0})])
    assert f"cell {CELL} is in two groups" in refusal(path)


def test_words_of_strangers_lose_what_a_terminal_would_obey(tmp_path):
    path = write(tmp_path, row(status="failed", reason="a\x1b[31m\nb", latency_ms=None))
    assert read_stored(path).runs[0].rows[0].reason == "a [31m b"
