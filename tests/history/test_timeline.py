"""What happened in a series, and two runs against each other."""

import pytest

from fqbench.errors import UsageError
from fqbench.history.comparison import compare_runs
from fqbench.history.reader import opened
from fqbench.history.surroundings import Difference
from fqbench.history.timeline import timeline
from fqbench.measure.stats import Interval
from fqbench.samples import Samples
from tests.support.kept_runs import (
    CELL,
    MACHINE,
    OTHER_MACHINE,
    keep,
    needs_ruptures,
    row,
    samples,
    with_version,
)


def keep_one(
    folder, ms=2.0, machine=MACHINE, kernel_s=0.001, points=(50.0, 49.0, 51.0), **values
) -> int:
    measured = samples(ms, kernel_s, points)
    return keep(folder, row(ms, **values), machine=machine, measured=measured)


def of(folder):
    with opened(folder) as reader:
        (series,) = reader.series(CELL, 1000)
        return timeline(series)


def compared(folder, base, head):
    with opened(folder) as reader:
        report = compare_runs(reader, base, head)
    (verdict,) = report.decision.verdicts
    return report, verdict


def fill(folder, count, ms, start=0):
    for number in range(start, start + count):
        keep_one(folder, ms * (1 + 0.001 * (number * 7 % 10)))


class TestTimeline:
    @needs_ruptures
    def test_a_change_of_time_is_marked_with_its_size(self, tmp_path):
        fill(tmp_path, 20, 2.0)
        fill(tmp_path, 15, 2.2, start=20)
        found = of(tmp_path)
        assert found.unit == "kernels"
        changes = {e.row.run.number: e.change for e in found.events if e.change}
        assert list(changes) == [21]
        assert changes[21].factor == pytest.approx(1.1, rel=0.01)
        assert "% slower from here" in str(changes[21])

    @needs_ruptures
    def test_a_slower_machine_is_no_change(self, tmp_path):
        for number in range(35):
            slow = 1.3 if number >= 20 else 1.0
            factor = slow * (1 + 0.001 * (number * 7 % 10))
            keep_one(tmp_path, 2.0 * factor, kernel_s=0.001 * slow)
        assert not [event for event in of(tmp_path).events if event.change]

    def test_without_kernels_in_every_run_it_is_of_ms(self, tmp_path):
        keep_one(tmp_path)
        keep(tmp_path, measured=Samples())
        assert of(tmp_path).unit == "ms"

    def test_other_files_images_and_versions_are_told(self, tmp_path):
        digests = row().hashes
        keep_one(tmp_path)
        keep_one(tmp_path, hashes={**digests, "files": "9" * 64})
        keep_one(tmp_path, hashes={**digests, "files": "9" * 64, "truth": "8" * 64})
        keep_one(tmp_path, hashes=digests, machine=with_version("1.32.0"))
        first, files, images, version = of(tmp_path).events
        assert first.texts == ()
        assert files.texts == ("other files",)
        assert images.texts == ("other images",)
        assert version.differences == (Difference("onnxruntime", "1.31.0", "1.32.0"),)
        assert version.texts == ("other files", "other images", "onnxruntime 1.31.0 → 1.32.0")


class TestComparison:
    def test_the_same(self, tmp_path):
        keep_one(tmp_path)
        keep_one(tmp_path)
        assert compared(tmp_path, 1, 2)[1].status == "same"

    @pytest.mark.parametrize(("ms", "status"), [(2.4, "slower"), (1.6, "faster")])
    def test_another_time(self, tmp_path, ms, status):
        keep_one(tmp_path, 2.0)
        keep_one(tmp_path, ms)
        report, verdict = compared(tmp_path, 1, 2)
        assert verdict.status == status
        assert verdict.slowdown.value == pytest.approx(ms / 2, rel=0.01)
        assert verdict.slowdown.low < ms / 2 < verdict.slowdown.high
        assert report.base == f"run 1 ({'c' * 10})"

    def test_a_time_of_a_slow_machine_is_the_same(self, tmp_path):
        keep_one(tmp_path, 2.0)
        keep_one(tmp_path, 2.6, kernel_s=0.0013)
        assert compared(tmp_path, 1, 2)[1].status == "same"

    def test_less_accurate(self, tmp_path):
        keep_one(tmp_path, points=(50.0, 49.0, 51.0))
        keep_one(tmp_path, points=(48.0, 47.0, 49.1), accuracy=48.0)
        _, verdict = compared(tmp_path, 1, 2)
        assert verdict.status == "less accurate"
        assert verdict.loss.value == pytest.approx(2.0)

    def test_accuracy_on_other_images_is_not_compared(self, tmp_path):
        keep_one(tmp_path)
        digests = {**row().hashes, "images": "7" * 64}
        keep_one(tmp_path, points=(48.0, 47.0, 49.1), accuracy=48.0, hashes=digests)
        report, verdict = compared(tmp_path, 1, 2)
        assert verdict.status == "same"
        assert any("images" in caution for caution in report.cautions)

    def test_left_its_margin(self, tmp_path):
        for drop in (Interval(0.1, 0.0, 0.2), Interval(3.0, 2.5, 3.5)):
            keep_one(tmp_path, drop=drop, margin=1.0)
        assert compared(tmp_path, 1, 2)[1].reason.startswith("its accuracy left its margin")

    def test_another_version_is_a_caution(self, tmp_path):
        keep_one(tmp_path)
        keep_one(tmp_path, machine=with_version("1.32.0"))
        report, _ = compared(tmp_path, 1, 2)
        assert report.cautions == (
            "Compared although the sides differ: onnxruntime 1.31.0 → 1.32.0.",
        )

    def test_two_machines_are_refused(self, tmp_path):
        keep_one(tmp_path)
        keep_one(tmp_path, machine=OTHER_MACHINE)
        with opened(tmp_path) as reader, pytest.raises(UsageError, match="the machine of one is"):
            compare_runs(reader, 1, 2)

    def test_a_run_that_is_not_there(self, tmp_path):
        keep_one(tmp_path)
        with opened(tmp_path) as reader, pytest.raises(UsageError, match="run 7 is not in"):
            compare_runs(reader, 1, 7)
