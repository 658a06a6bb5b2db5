"""What keeps two sides from being compared: named, every one of it."""

from copy import deepcopy
from pathlib import Path

import pytest

from fqbench.gate.stored.comparability import differences
from fqbench.gate.stored.files import read_stored
from tests.support.stored_files import CELL, DIGEST, FP32, MACHINE, benchmark, row, write


def between(tmp_path: Path, machine: dict | None = None, *rows: dict) -> tuple[str, ...]:
    base = write(tmp_path / "base", row(), row(FP32))
    head = write(tmp_path / "head", *(rows or (row(), row(FP32))), machine=machine)
    return differences(read_stored(base), read_stored(head))


def machine(**values) -> dict:
    return {**deepcopy(MACHINE), **values}


def cpu(**values) -> dict:
    return machine(cpu={**MACHINE["cpu"], **values})


def versions(**values) -> dict:
    return machine(versions={**MACHINE["versions"], **values})


def test_same_machine_and_data(tmp_path):
    assert between(tmp_path) == ()


def test_instruction_sets_are_named_by_the_side_that_lacks_them(tmp_path):
    assert between(tmp_path, cpu(isa=["avx2", "fma", "amx_int8"])) == (
        "HEAD lacks the instruction sets avx512f, avx512_vnni",
        "BASE lacks the instruction sets amx_int8",
    )


def test_order_of_instruction_sets_says_nothing(tmp_path):
    assert between(tmp_path, cpu(isa=MACHINE["cpu"]["isa"][::-1])) == ()


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (cpu(model="Other"), "CPU Some CPU (BASE) and Other (HEAD)"),
        (cpu(isa=None), "HEAD does not name its instruction sets"),
        (cpu(cores=4), "cores 2 (BASE) and 4 (HEAD)"),
        (cpu(usable_cores=1), "usable cores 2 (BASE) and 1 (HEAD)"),
        (machine(threads=2), "threads 1 (BASE) and 2 (HEAD)"),
        (machine(threads=None), "threads 1 (BASE) and unknown (HEAD)"),
        (versions(onnxruntime="1.27.0"), "onnxruntime 1.26.0 (BASE) and 1.27.0 (HEAD)"),
        (versions(paddlepaddle="3.0.0"), "paddlepaddle 2.6.2 (BASE) and 3.0.0 (HEAD)"),
        (versions(numpy="1.24.0"), "numpy 1.26.4 (BASE) and 1.24.0 (HEAD)"),
        (versions(python="3.12.7"), "python 3.11 (BASE) and 3.12 (HEAD)"),
    ],
)
def test_what_differs_is_named(tmp_path, other, difference):
    assert between(tmp_path, other) == (difference,)


ON_GPU = [
    (versions(tensorrt="10.15.1"), "tensorrt unknown (BASE) and 10.15.1 (HEAD)"),
    (machine(gpu={"name": "L4"}), "GPU unknown (BASE) and L4 (HEAD)"),
    (machine(gpu={"driver": "580.1"}), "GPU driver unknown (BASE) and 580.1 (HEAD)"),
]


@pytest.mark.parametrize(("other", "difference"), ON_GPU)
def test_what_differs_on_a_gpu_is_named_where_a_cell_ran_there(tmp_path, other, difference):
    cells = [row("net-tensorrt-gpu-int8"), row("net-tensorrt-gpu-fp32")]
    base, head = write(tmp_path / "a", *cells), write(tmp_path / "b", *cells, machine=other)
    assert differences(read_stored(base), read_stored(head)) == (difference,)
    assert between(tmp_path, other) == ()


def test_engines_of_the_other_library_say_nothing(tmp_path):
    cells = [row("net-tensorrt-gpu-int8")]
    other = versions(tensorrt_rtx="1.7")
    base, head = write(tmp_path / "a", *cells), write(tmp_path / "b", *cells, machine=other)
    assert differences(read_stored(base), read_stored(head)) == ()


@pytest.mark.parametrize("other", [versions(python="3.11.9"), versions(fqbench="9")])
def test_what_a_change_may_change(tmp_path, other):
    assert between(tmp_path, other) == ()


@pytest.mark.parametrize(
    ("key", "name"),
    [("images", "images"), ("truth", "labels"), ("calibration", "calibration images")],
)
def test_data_is_told_once_with_its_models(tmp_path, key, name):
    hashes = {**DIGEST, key: "f" * 64}
    rows = [row(hashes=hashes), row(FP32, hashes=hashes)]
    (found,) = between(tmp_path, None, *rows)
    assert found == f"{name} {DIGEST[key][:12]} (BASE) and ffffffffffff (HEAD) (net)"


def test_processes_that_were_left_to_the_scheduler(tmp_path):
    assert between(tmp_path, None, row(pinned=False), row(FP32)) == (
        "processes bound to cores yes (BASE) and no (HEAD) (net)",
    )


def test_data_that_a_side_does_not_tell(tmp_path):
    assert between(tmp_path, None, row(hashes={}, dataset=None), row(FP32)) == ()


def test_method_differs(tmp_path):
    assert between(tmp_path, None, row(method="distillation"), row(FP32)) == (
        "method offline (BASE) and distillation (HEAD) (net)",
    )


def test_artifacts_are_what_a_change_changes(tmp_path):
    hashes = {**DIGEST, "artifact": "f" * 64}
    assert between(tmp_path, None, row(hashes=hashes), row(FP32)) == ()


def test_cells_of_one_side_and_failed_ones_have_no_data_to_compare(tmp_path):
    rows = [row(CELL, status="failed", latency_ms=None, hashes={}), row("new-paddle-cpu-int8")]
    assert between(tmp_path, None, *rows) == ()


def test_benchmarks_of_anybody_against_ours(tmp_path):
    ours = read_stored(write(tmp_path, row()))
    theirs = read_stored(benchmark(tmp_path / "b.json", {"t.py::a": 0.1}))
    assert "HEAD lacks the instruction sets avx512f, avx512_vnni" in differences(ours, theirs)
    assert "threads 1 (BASE) and unknown (HEAD)" in differences(ours, theirs)
    assert differences(theirs, theirs) == ()
