"""The verdict on stored results, of files made by hand."""

from pathlib import Path

import pytest

from fqbench.gate.evidence import Tolerances
from fqbench.gate.stored import figures
from fqbench.gate.stored.comparison import compare_stored
from fqbench.gate.stored.files import read_stored
from fqbench.gate.verdict import GateReport, Verdict
from tests.support.stored_files import (
    CELL,
    DIGEST,
    FP32,
    benchmark,
    failed,
    group,
    row,
    timed,
    write,
)

BETTER = [70.0] * 1 + [70.0 + 0.1 * (i % 5) for i in range(100)]
"""Accuracy on all images, then on resamples."""


def compared(base: Path, head: Path, **tolerances) -> GateReport:
    return compare_stored(read_stored(base), read_stored(head), Tolerances(**tolerances))


def verdict(found: GateReport, cell: str = CELL) -> Verdict:
    return next(each for each in found.decision.verdicts if each.cell == cell)


def speeds(tmp_path: Path, base: float, head: float, **values) -> Verdict:
    sides = timed(tmp_path / "base", base), timed(tmp_path / "head", head, **values)
    return verdict(compared(*sides))


def test_identical_results_are_the_same(tmp_path):
    found = speeds(tmp_path, 2.0, 2.0)
    assert (found.status, found.regressed) == ("same", False)
    assert (found.base_ms, found.head_ms, found.launches) == (2.0, 2.0, 5)
    assert found.slowdown.value == pytest.approx(1.0)
    assert found.slowdown.low < 1 < found.slowdown.high


def test_gpu_is_not_compared_by_a_kernel_of_the_cpu(tmp_path):
    """The CPU was twice as busy beside HEAD, which the GPU did not notice."""
    cell = "net-tensorrt-gpu-int8"
    sides = [
        read_stored(write(tmp_path / name, row(cell), groups=[group({cell: 2.0}, kernel_s)]))
        for name, kernel_s in (("base", 0.001), ("head", 0.002))
    ]
    assert [figures.kernel_units(side, cell) for side in sides] == [None, None]
    assert figures.kernel_units(read_stored(timed(tmp_path / "cpu", 2.0)), CELL) is not None


def test_much_slower_is_called_so_and_not_confirmed(tmp_path):
    found = speeds(tmp_path, 2.0, 4.0)
    assert (found.status, found.regressed) == ("slower", True)
    assert found.reason == (
        "its files are the same on both sides, so the cause is how it was run; stored times"
        " cannot be measured again to confirm it"
    )


def test_much_faster(tmp_path):
    found = speeds(tmp_path, 4.0, 2.0)
    assert (found.status, found.regressed, found.reason) == ("faster", False, "")


def test_machine_that_was_slower_throughout_is_no_slow_down(tmp_path):
    found = speeds(tmp_path, 2.0, 4.0, kernel_s=0.002)
    assert found.status == "same"
    assert found.slowdown.value == pytest.approx(1.0)
    assert (found.base_ms, found.head_ms) == (2.0, 4.0)


def test_little_time_may_double(tmp_path):
    """0.004 ms more are within the absolute tolerance."""
    assert speeds(tmp_path, 0.004, 0.008).status == "same"


def test_tolerance_is_the_users(tmp_path):
    sides = timed(tmp_path / "base", 2.0), timed(tmp_path / "head", 4.0)
    assert verdict(compared(*sides, slowdown=0.99)).status == "same"


def test_without_a_kernel_times_are_compared_as_they_are(tmp_path):
    sides = [write(tmp_path / side, row(ms=ms)) for side, ms in (("base", 2.0), ("head", 2.2))]
    found = compared(*sides)
    assert verdict(found).status == "same"
    assert "Times of 1 cell are compared by the shortest as they are" in " ".join(found.certainty)
    assert verdict(compared(timed(tmp_path / "a", 2.0), timed(tmp_path / "b", 2.6))).regressed


def test_benchmarks_of_anybody(tmp_path):
    base = benchmark(tmp_path / "a.json", {"t.py::a": 0.1, "t.py::b": 0.1})
    head = benchmark(tmp_path / "b.json", {"t.py::a": 0.11, "t.py::b": 0.3})
    found = compared(base, head)
    assert [v.status for v in found.decision.verdicts] == ["same", "slower"]
    assert found.decision.exit_code == 1


def test_several_runs_of_base_tell_how_far_runs_differ(tmp_path):
    """Runs that differ by 20 % hide what the default would call slower."""
    from fqbench.gate.stored.baseline import freeze

    runs = [
        read_stored(timed(tmp_path / str(i), ms, created=str(i)))
        for i, ms in enumerate((1.6, 2.0, 2.4, 2.0, 1.8))
    ]
    base = freeze(runs, {}, tmp_path / "baseline.json")
    head = timed(tmp_path / "head", 2.6)
    found = compared(base, head)
    assert verdict(found).status == "same"
    assert "is known from 5 runs of BASE" in " ".join(found.certainty)
    assert verdict(compared(timed(tmp_path / "one", 2.0), head)).status == "slower"


@pytest.mark.parametrize(
    ("base", "head", "status", "regressed"),
    [
        ([], [row()], "new", False),
        ([row()], [], "missing", True),
        ([row()], [failed()], "failed", True),
        ([], [failed()], "failed", True),
        ([failed()], [failed()], "failed", False),
        ([failed()], [row()], "new", False),
        ([row()], [row(status="unsupported", reason="no", latency_ms=None)], "missing", True),
    ],
)
def test_cells_that_one_side_lacks(tmp_path, base, head, status, regressed):
    sides = write(tmp_path / "base", *base), write(tmp_path / "head", *head)
    found = verdict(compared(*sides))
    assert (found.status, found.regressed) == (status, regressed)


def test_cells_that_run_on_neither_side_are_not_spoken_of(tmp_path):
    unsupported = row(status="unsupported", reason="no GPU", latency_ms=None)
    sides = [write(tmp_path / side, unsupported) for side in ("base", "head")]
    found = compared(*sides)
    assert found.decision.verdicts == ()
    assert found.decision.exit_code == 2


def accuracies(
    tmp_path: Path, base: list, head: list, base_row: dict, head_row: dict
) -> GateReport:
    sides = [
        write(tmp_path / side, row(**{**values, "accuracy": points[0]}), accuracies={CELL: points})
        for side, points, values in (("base", base, base_row), ("head", head, head_row))
    ]
    return compared(*sides)


def test_lost_accuracy(tmp_path):
    worse = [points - 0.5 for points in BETTER]
    found = verdict(accuracies(tmp_path, BETTER, worse, {}, {}))
    assert (found.status, found.regressed) == ("less accurate", True)
    assert found.reason == "it lost more accuracy than is tolerated"
    assert found.loss.value == pytest.approx(0.5)


def test_same_answers(tmp_path):
    found = verdict(accuracies(tmp_path, BETTER, BETTER, {}, {}))
    assert (found.status, found.loss.value) == ("same", 0)


def test_accuracy_of_other_images_is_not_compared(tmp_path):
    worse = [points - 50 for points in BETTER]
    other = {"hashes": {**DIGEST, "images": "f" * 64}}
    found = accuracies(tmp_path, BETTER, worse, {}, other)
    assert (verdict(found).status, verdict(found).loss) == ("same", None)
    told = "Accuracy is only compared with its margin in 1 cell:"
    assert any(each.startswith(told) for each in found.certainty)


def test_margin_that_only_base_kept(tmp_path):
    def margins(drop: float) -> dict:
        return {"drop": {"value": drop, "ci95": [drop - 1, drop + 1]}, "margin": 1.0}

    base = write(tmp_path / "base", row(**margins(0.9)))
    head = write(tmp_path / "head", row(**margins(2.1)))
    found = verdict(compared(base, head))
    assert (found.status, found.reason) == ("less accurate", "its accuracy left its margin")
    assert verdict(compared(head, head)).status == "same"
    assert verdict(compared(head, base)).status == "same"
    near = write(tmp_path / "near", row(**margins(1.1)))
    assert verdict(compared(base, near)).status == "same"


def test_ratio_of_each_side_is_a_second_figure(tmp_path):
    sides = [
        write(tmp_path / side, row(ratio={"value": value, "ci95": [value - 0.1, value + 0.1]}))
        for side, value in (("base", 2.0), ("head", 1.5))
    ]
    found = compared(*sides).ratios[CELL]
    assert (found.base, found.head) == (pytest.approx(2.0), pytest.approx(1.5))
    assert found.change.value == pytest.approx(0.75)


def test_cell_that_was_disturbed_throughout_is_unclear(tmp_path):
    sides = []
    for side in ("base", "head"):
        found = group({CELL: 2.0})
        rounds = [[[0.002 * (1 + (launch + i) / 4)] for i in range(4)] for launch in range(5)]
        found["cells"][CELL] = rounds
        sides.append(write(tmp_path / side, row(), groups=[found]))
    found = compared(*sides)
    assert (verdict(found).status, verdict(found).regressed) == ("unclear", False)
    assert "not even twice the time would show" in verdict(found).reason
    assert found.decision.exit_code == 2


def test_noise_of_many_cells_is_no_alarm(tmp_path):
    """Of 40 cells, one is 6 % off by chance: alone it would be near an alarm."""
    cells = [f"m{i}-onnxruntime-cpu-int8" for i in range(40)]
    factors = {cells[3]: 1.06}
    sides = [
        write(
            tmp_path / side,
            *(row(cell, 2.0 * changes.get(cell, 1)) for cell in cells),
            groups=[group({cell: 2.0 * changes.get(cell, 1)}) for cell in cells],
        )
        for side, changes in (("base", {}), ("head", factors))
    ]
    assert compared(*sides).decision.exit_code == 0


def test_fp32_is_measured_in_float_products(tmp_path):
    """Only the kernel of the cell's own precision stands for the machine."""
    sides = []
    for side, kernels in (("base", 0.001), ("head", 0.002)):
        found = group({FP32: 2.0})
        found["reference"]["float32"] = group({FP32: 1.0}, kernels)["reference"]["float32"]
        sides.append(write(tmp_path / side, row(FP32), groups=[found]))
    assert verdict(compared(*sides), FP32).slowdown.value == pytest.approx(0.5)
