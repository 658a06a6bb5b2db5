"""What pages show, of rows made by hand: nothing is drawn here."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.gate.evidence import Tolerances
from fqbench.gate.verdict import Decision, GateReport, Verdict
from fqbench.history.records import KeptRun, Since
from fqbench.history.surroundings import Difference, Machine
from fqbench.measure.stats import Interval
from fqbench.report import markdown
from fqbench.report.html.advice import Advice, advices, times_as_fast
from fqbench.report.html.datatable import leading_number, table
from fqbench.report.html.drops import drops
from fqbench.report.html.environment import environment
from fqbench.report.html.gate import gate_page
from fqbench.report.html.page import left_out, page
from fqbench.report.html.plots import COLOURS, by_order
from fqbench.report.html.ratios import against_peak, against_published
from fqbench.report.html.timings import relative_medians, spread, timings
from fqbench.report.html.tradeoff import Point, front, tradeoffs
from fqbench.samples import Samples
from tests.support.report_rows import (
    CRASHED,
    FP32,
    INSIDE,
    MACHINE,
    OUTSIDE,
    ROWS,
    SKIPPED,
    SLOW,
    UNKNOWN,
    against,
    results,
    row,
    samples,
    times,
)


class TestAdvice:
    def test_is_the_fastest_cell_that_is_inside_its_margin(self):
        rows = against(FP32, INSIDE, SLOW, UNKNOWN)
        assert advices(rows, samples(rows)) == (
            Advice(
                "net",
                "CPU",
                "ONNX Runtime INT8",
                "4.00",
                "2.50 (2.48 to 2.52) times as fast as the fastest float, ONNX Runtime FP32. INT8"
                " loses 0.50 points (95 % interval 0.10 to 0.90), inside of its margin of 1. That"
                " float is the second fastest.",
                (
                    "Paddle Inference INT8, 3.00 ms: INT8 loses 0.50 points (95 % interval -0.10 to"
                    " 1.25); whether that is within its margin of 1 is not known: about 290 images"
                    " instead of 128 would tell, were the drop the same.",
                ),
            ),
        )

    def test_names_the_next_one_by_times_taken_in_turns(self):
        faster = replace(UNKNOWN, drop=Interval(0.1, 0.0, 0.2))
        rows = against(FP32, INSIDE, faster)
        (found,) = advices(rows, samples(rows))
        assert found.use == "Paddle Inference INT8"
        assert found.why.endswith(
            "1.33 (1.33 to 1.33) times as fast as the next one, ONNX Runtime INT8."
        )

    def test_says_where_the_next_one_is_not_certainly_slower(self):
        twin = replace(row("paddle", "int8", 4.0), drop=Interval(0.1, 0.0, 0.2), margin=1.0)
        rows = (*against(FP32, INSIDE), twin)
        (found,) = advices(rows, samples(rows))
        assert (
            "Not certainly faster: 1.00 (1.00 to 1.00) times as fast as the next one" in found.why
        )

    def test_is_float_where_int8_loses_too_much(self):
        rows = against(FP32, OUTSIDE)
        (found,) = advices(rows, samples(rows))
        assert found.use == "ONNX Runtime FP32"
        assert found.why.startswith("It is the fastest float, and nothing that is surely within")
        assert found.unknown == (
            "Paddle Inference INT8, 3.00 ms: INT8 loses 3.50 points (95 % interval 3.00 to 4.00),"
            " outside of its margin of 1.",
        )

    def test_is_not_known_where_no_cell_is_certain(self):
        needs = replace(INSIDE, drop=None, needs="labelled images")
        (found,) = advices([needs], Samples())
        assert found.use is None
        assert found.unknown == (
            "ONNX Runtime INT8, 4.00 ms: its accuracy is not known: labelled images.",
        )

    def test_leaves_out_int8_that_does_not_pay(self):
        rows = against(FP32, replace(INSIDE, slowdown=1.2))
        (found,) = advices(rows, samples(rows))
        assert found.use == "ONNX Runtime FP32"
        assert found.unknown == ()

    def test_is_none_where_nothing_was_timed(self):
        assert advices([CRASHED, SKIPPED], Samples()) == ()

    def test_tells_times_that_were_not_taken_in_turns(self):
        assert times_as_fast(INSIDE, SLOW, Samples()) is None


def point(ms: float, accuracy: float) -> Point:
    return Point(ms, ms, ms, accuracy, accuracy, accuracy, "a", "b", "")


class TestFront:
    def test_leaves_out_what_another_one_beats(self):
        fast, slow, worse, twin = point(1, 50), point(3, 60), point(4, 55), point(1, 40)
        assert front([worse, slow, fast, twin]) == (fast, slow)

    def test_what_no_figure_shows_is_not_more_accurate(self):
        fast = point(1, 37.501)
        assert front([point(2, 37.504), fast]) == (fast,)

    @settings(deadline=None)
    @given(st.lists(st.builds(point, st.integers(1, 9), st.integers(1, 9)), max_size=12))
    def test_beats_or_holds_every_point(self, points):
        found = front(points)
        for each in points:
            assert any(f.ms <= each.ms and f.accuracy >= each.accuracy for f in found)
        for a, b in pairwise(found):
            assert a.ms < b.ms
            assert a.accuracy < b.accuracy


class TestPlots:
    def test_accuracy_has_the_interval_of_the_drop(self):
        (plot,) = tradeoffs(ROWS)
        values = plot.spec["data"]["values"]
        int8 = next(v for v in values if v["made"] == "INT8" and v["backend"] == "ONNX Runtime")
        assert (int8["accuracy_low"], int8["accuracy"], int8["accuracy_high"]) == (36.6, 37.0, 37.4)
        assert int8["tip"].splitlines() == [
            "ONNX Runtime INT8",
            "4.00 (3.92 to 4.08) ms",
            "mAP 37.00",
            "drop 0.50 (0.10 to 0.90)",
        ]
        assert len(plot.numbers.rows) == 4
        assert "from the fastest: Paddle Inference INT8, ONNX Runtime FP32" in plot.about

    def test_latency_stands_alone_where_accuracy_is_not_known(self):
        (plot,) = tradeoffs([replace(FP32, accuracy=None), replace(INSIDE, needs="images")])
        assert plot.about == "net on the CPU: latency of each cell; accuracy is not known."

    def test_drops_are_told_apart_by_shape_and_text(self):
        inside, outside, unknown = (INSIDE, OUTSIDE, replace(UNKNOWN, cell=SLOW.cell))
        plot = drops([inside, outside, unknown])
        assert plot is not None
        assert [row[3] for row in plot.numbers.rows] == ["inside", "outside", "not known"]
        assert [v["note"] for v in plot.spec["data"]["values"]] == [
            "inside",
            "outside",
            "not known",
        ]
        assert plot.about == "Of 3 drops by their margin: 1 inside, 1 outside, 1 not known."
        assert drops([FP32]) is None

    def test_a_standing_keeps_its_colour_whichever_comes_first(self):
        def scales(*rows):
            layers = drops(rows).spec["layer"]
            return [e["shape"]["scale"] for layer in layers if "shape" in (e := layer["encoding"])]

        assert scales(INSIDE, OUTSIDE) == scales(OUTSIDE, INSIDE)

    def test_peak_is_in_percent(self):
        plot = against_peak(ROWS)
        assert plot is not None
        assert plot.numbers.rows[0] == ("net-onnxruntime-cpu-fp32", "90.0", "85.0", "95.0")
        assert against_peak([SLOW]) is None

    def test_published_ratios_stand_beside_measured_ones(self):
        assert against_published(ROWS) is None
        measured = row("onnxruntime", "int8", 4.0, model="yolov5s", ratio=Interval(2.5, 2.4, 2.6))
        plot = against_published([measured])
        assert plot is not None
        values = [(v["group"], v["value"]) for v in plot.spec["data"]["values"]]
        assert values[0][0] == "published"
        assert values[1] == ("measured", 2.5)

    def test_colours_begin_again_when_all_are_used(self):
        names = [str(n) for n in range(10)]
        assert by_order(names, COLOURS)["range"][8:] == list(COLOURS[:2])


class TestTimings:
    def test_launches_are_relative_to_their_median(self):
        assert relative_medians(times(2.0)) == pytest.approx((-0.990099, 0.0, 0.990099), abs=1e-6)

    def test_spread_takes_from_the_row_what_it_has(self):
        found = spread(FP32, times(10.0))
        assert found is not None
        assert (found.low, found.p50, found.p90, found.p99) == (9.5, 10.0, 11.0, 15.0)
        assert found.p25 < found.p75

    def test_one_launch_has_no_course(self):
        one = samples([FP32])
        group = replace(one.groups[0], cells={FP32.cell.id: times(10.0, launches=1)})
        (found,) = timings([FP32], Samples((group,)))
        assert found.launches is None

    def test_nothing_is_shown_without_samples(self):
        assert timings(ROWS, Samples()) == ()


class TestTables:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("2.50 (2.40 to 2.60)", 2.5),
            ("-0.25", -0.25),
            ("63 % / 46 %", 63.0),
            ("57 of 60", 57.0),
            ("1 ok", 1.0),
            ("-", None),
            ("", None),
            ("yolov5s", None),
            ("3d_net", None),
            ("1.2.3", None),
        ],
    )
    def test_sorts_by_the_number_that_a_text_starts_with(self, text, number):
        assert leading_number(text) == number

    def test_leaves_out_columns_that_say_nothing(self):
        assert table("t", ("a", "b"), [("x", "-"), ("y", "")]).columns == ("a",)

    def test_knows_columns_of_numbers(self):
        assert table("t", ("a", "b"), [("x", "1"), ("y", "-")]).numeric == (False, True)
        assert table("t", ("a", "b"), []).numeric == ()


class TestPage:
    def test_has_the_figures_of_the_markdown(self):
        shown, written = page(results(), samples()), markdown.markdown(results())
        for line in shown.table.rows:
            for text in line:
                assert text in written
        assert all(note in written for note in shown.notes if "<" not in note and "&" not in note)

    def test_failed_cells_come_first(self):
        assert left_out([SKIPPED, FP32, CRASHED]) == (
            ("net-openvino-cpu-int8", "failed", "it was killed"),
            ("net-openvino-cpu-fp32", "skipped", "not chosen"),
        )

    def test_environments_stand_side_by_side(self):
        found = environment(MACHINE, None)
        assert ("CPU", "Some CPU") in found.facts
        assert found.versions.columns == ("Package", "This environment", "other")
        assert ("numpy", "-", "1.26.4") in found.versions.rows
        assert (found.before, found.changed.rows) == (None, ())

    def test_what_differs_from_the_last_run_is_named(self):
        run = KeptRun(
            7, "2024-05-05T06:07:08", "p", None, None, "0.1", Machine({}), None, {}, 1, None, 2, 0
        )
        since = Since(run, (Difference("onnx", "1", "2"), Difference("numpy", None, "3")))
        found = environment(MACHINE, since)
        assert found.before == "run 7 of 2024-05-05 06:07 UTC"
        assert found.changed.rows == (("onnx", "1", "2"), ("numpy", "-", "3"))


class TestGate:
    SLOWER = Verdict(
        "net-a", "slower", "12 % more", True, 2.0, 2.24, Interval(1.12, 1.08, 1.16), launches=5
    )
    SMALL = replace(SLOWER, cell="tiny", base_ms=0.05, status="same", reason="", regressed=False)

    def test_shows_the_worst_first_against_what_is_tolerated(self):
        report = GateReport("a", "b", Decision((self.SMALL, self.SLOWER)))
        found = gate_page(report, Tolerances())
        assert found.headline == "1 of 2 cells got worse: 1 slower."
        assert found.state == "worse"
        assert [line[0] for line in found.table.rows] == ["net-a", "tiny"]
        assert found.plot is not None
        assert found.plot.numbers.rows == (
            ("net-a", "+12.00", "+8.00", "+16.00", "+2.00", "slower"),
            ("tiny", "+12.00", "+8.00", "+16.00", "+10.00", "same"),
        )

    def test_cells_of_a_model_with_a_long_name_are_told_apart(self):
        cell = "a_model_with_a_name_longer_than_the_plot_has_room_for-onnxruntime-cpu-int8"
        report = GateReport("a", "b", Decision((replace(self.SLOWER, cell=cell),)))
        plot = gate_page(report, Tolerances()).plot
        assert plot is not None
        (value,) = plot.spec["data"]["values"]
        assert value["line"].splitlines()[1] == "onnxruntime-cpu-int8"
        assert plot.numbers.rows[0][0] == cell

    def test_has_no_plot_where_nothing_was_compared(self):
        report = GateReport("a", "b", Decision((Verdict("x", "new", ""),)))
        found = gate_page(report, Tolerances())
        assert (found.plot, found.state) == (None, "unknown")
