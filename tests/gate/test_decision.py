"""What the gate decides, on literal numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.gate import evidence
from fqbench.gate.decision import CellEvidence, confirmed, decide, holm, suspects
from fqbench.gate.evidence import AccuracyEvidence, SpeedEvidence, Tolerances
from fqbench.gate.verdict import Decision, Verdict

TOLERANCES = Tolerances()
WOBBLE = (0.999, 1.0, 1.001, 1.0005, 0.9995)
p_lists = st.lists(st.floats(0, 1), max_size=8)


def timed(ms: float, spread: float = 1.0, launches: int = 5) -> list[list[list[float]]]:
    """Launches of two rounds of one time; their medians differ by 0.1 % times ``spread``."""
    factors = [1 + spread * (w - 1) for w in WOBBLE]
    return [[[ms * f / 1e3], [ms * f / 1e3]] for f in (factors * 4)[:launches]]


def speed(cell: str, base: float, head: float, spread: float = 1.0, **more: Any) -> SpeedEvidence:
    return SpeedEvidence(cell, timed(base, 0, **more), timed(head, spread, **more))


def points(base: float, head: float, spread: float) -> AccuracyEvidence:
    """Resamples whose losses differ by ``spread`` (one standard deviation, about)."""
    noise = np.resize([1.0, -1.0], 1000)
    on_base = np.concatenate([[base], base + noise])
    on_head = np.concatenate([[head], head + noise * (1 + spread)])
    return AccuracyEvidence("a", on_base, on_head)


def only(**known: Any) -> tuple[Verdict, int]:
    """The verdict and exit code of one cell."""
    decision = decide([CellEvidence("a", **known)], TOLERANCES)
    return decision.verdicts[0], decision.exit_code


def test_holm_is_the_textbooks_example() -> None:
    # Against 0.05 / 4, / 3: 0.005 and 0.01 are below; 0.03 is above 0.05 / 2, so 0.04 stays, too.
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == (True, False, False, True)
    # The second of two is held against the whole level.
    assert holm([0.04, 0.02], 0.05) == (True, True)
    assert holm([], 0.05) == ()


@given(p_lists)
def test_holm_rejects_no_less_than_bonferroni(p_values: list[float]) -> None:
    least = [p <= 0.05 / len(p_values) for p in p_values]
    found = holm(p_values, 0.05)
    assert all(a <= b for a, b in zip(least, found, strict=True))
    assert all(p <= 0.05 for p, rejected in zip(p_values, found, strict=True) if rejected)


def test_slowdown_is_of_head() -> None:
    assert evidence.slowdown(speed("a", 4.0, 5.0, 0)).value == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("base", "head", "slower"),
    [
        (10.0, 10.5, True),
        (10.0, 10.1, False),  # 1 %, less than 2
        (0.1, 0.103, False),  # 3 %, but 0.003 ms
        (0.1, 0.12, True),  # 20 % and 0.02 ms
        (10.0, 9.0, False),
    ],
)
def test_slower_is_what_exceeds_both_tolerances(base: float, head: float, slower: bool) -> None:
    found = evidence.p_slower(speed("a", base, head), TOLERANCES)
    assert found < 0.001 if slower else found > 0.99
    back = evidence.p_faster(speed("a", head, base), TOLERANCES)
    assert back < 0.001 if slower else back > 0.99


def test_suspects_are_those_that_look_slower() -> None:
    broken = SpeedEvidence("broken", timed(1.0), [[[math.nan], [1.0]]] * 5)
    one_side = SpeedEvidence("one side", timed(1.0), None)
    cells = [speed("same", 5.0, 5.0), speed("slow", 5.0, 5.5), broken, one_side]
    assert suspects(cells, TOLERANCES) == ("slow",)
    assert suspects([], TOLERANCES) == ()


def test_few_suspects_are_confirmed_by_weaker_evidence_than_many() -> None:
    # t = (log 1.03 - log 1.02) / 0.0035: p is 0.0025 to 0.01, less than 0.01 but not a tenth of it.
    weak = speed("a", 5.0, 5.15, spread=5.0)
    assert 0.001 < evidence.p_slower(weak, TOLERANCES) < 0.01
    same = [speed(str(i), 5.0, 5.0) for i in range(9)]
    assert confirmed([weak], TOLERANCES) == ("a",)
    assert confirmed([weak, *same], TOLERANCES) == ()


def test_less_makes_a_suspect_than_confirms_it() -> None:
    found = [speed("a", 5.0, 5.15, spread=9.0)]
    assert 0.01 < evidence.p_slower(found[0], TOLERANCES) < 0.05
    assert suspects(found, TOLERANCES) == ("a",)
    assert confirmed(found, TOLERANCES) == ()


def test_what_is_not_known_well_enough_is_a_suspect() -> None:
    """As slow as before, but known to 3 % only: it could be slower than is tolerated."""
    assert suspects([speed("a", 5.0, 5.0, 30.0), speed("b", 5.0, 5.0)], TOLERANCES) == ("a",)
    assert suspects([speed("a", 5.0, 4.0, 30.0)], TOLERANCES) == (), "surely not slower"


def test_slower_needs_the_second_measurement() -> None:
    slow, same = speed("a", 5.0, 5.5), speed("a", 5.0, 5.0)
    verdict, code = only(speed=slow, again=slow)
    assert (verdict.status, verdict.regressed, code) == ("slower", True, 1)
    assert (verdict.base_ms, verdict.head_ms) == (pytest.approx(5.0), pytest.approx(5.5))
    assert verdict.slowdown is not None
    assert verdict.slowdown.value == pytest.approx(1.1, rel=1e-4)
    assert (verdict.launches, verdict.again) == (5, True)
    assert (
        verdict.reason == "time changed by +10.0 % (+9.9 to +10.1), more than 2.0 %; measured twice"
    )
    verdict, code = only(speed=slow, again=same)
    assert (verdict.status, verdict.again, code) == ("same", True, 0)
    assert "not clear at first, measured again" in verdict.reason
    verdict, code = only(speed=slow)
    assert (verdict.status, code) == ("unclear", 2)
    assert "not measured again" in verdict.reason


@pytest.mark.parametrize(
    ("head", "spread", "status", "code"),
    [
        (5.0, 1.0, "same", 0),
        (5.05, 1.0, "same", 0),  # 1 % slower is tolerated
        (4.5, 1.0, "faster", 0),
        (4.95, 1.0, "same", 0),
        (5.0, 30.0, "unclear", 2),  # -2.9 to +3.0 %
        (5.11, 1.0, "unclear", 2),  # 2.1 to 2.3 %, not measured again
    ],
)
def test_status_of_one_measurement(head: float, spread: float, status: str, code: int) -> None:
    verdict, found = only(speed=speed("a", 5.0, head, spread))
    assert (verdict.status, verdict.regressed, found) == (status, False, code)


def test_unclear_says_how_wide() -> None:
    verdict, _ = only(speed=speed("a", 5.0, 5.0, 30.0))
    assert verdict.reason == (
        "time changed by +0.0 % (-3.4 to +3.4), 6.8 % wide, too wide to tell 2.0 % from none"
    )
    # Measured again it takes 2 % more, and on which side of 2 % that is, is not known.
    slow = speed("a", 5.0, 5.5)
    verdict, _ = only(speed=slow, again=speed("a", 5.0, 5.1, 5.0))
    assert verdict.status == "unclear"
    assert "neither surely within nor surely beyond 2.0 %" in verdict.reason


@pytest.mark.parametrize("launches", [1, 2])
def test_few_launches_are_unclear(launches: int) -> None:
    slow = speed("a", 5.0, 9.0, launches=launches)
    verdict, code = only(speed=slow, again=slow)
    assert (verdict.status, code) == ("unclear", 2)
    assert verdict.reason == f"{launches} of the 3 launches that a comparison needs at least"


def test_one_time_is_unclear() -> None:
    one = SpeedEvidence("a", [[[0.005]]], [[[0.009]]])
    assert only(speed=one)[0].status == "unclear"


def test_other_launches_cannot_be_compared() -> None:
    verdict, code = only(speed=SpeedEvidence("a", timed(5.0), timed(5.0, launches=4)))
    assert (verdict.status, code) == ("unclear", 2)
    # The ratio is of HEAD to BASE, so HEAD is named first.
    assert verdict.reason == "times cannot be compared: 4 launches against 5"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 0.0, -1.0])
def test_an_unusable_time_is_a_failure_of_its_side(wrong: float) -> None:
    good, broken = timed(5.0), timed(5.0)
    broken[2][1] = [wrong]
    verdict, code = only(speed=SpeedEvidence("a", good, broken))
    assert (verdict.status, verdict.regressed, code) == ("failed", True, 1)
    expected = "failed in HEAD only: HEAD: a recorded time is not a positive number"
    assert verdict.reason == expected
    verdict, code = only(speed=SpeedEvidence("a", broken, good))
    assert (verdict.status, verdict.regressed, code) == ("new", False, 2)
    verdict, code = only(speed=SpeedEvidence("a", broken, broken))
    assert (verdict.status, verdict.regressed, code) == ("failed", False, 2)
    slow = speed("a", 5.0, 5.5)
    verdict, code = only(speed=slow, again=SpeedEvidence("a", good, broken))
    assert (verdict.status, code) == ("failed", 1)


@pytest.mark.parametrize(
    ("base", "head", "status", "regressed", "code"),
    [
        ("present", "absent", "missing", True, 1),
        ("failed", "absent", "missing", False, 2),
        ("absent", "present", "new", False, 2),
        ("failed", "present", "new", False, 2),
        ("present", "failed", "failed", True, 1),
        ("absent", "failed", "failed", True, 1),
        ("failed", "failed", "failed", False, 2),
    ],
)
def test_cells_of_one_side(base: str, head: str, status: str, regressed: bool, code: int) -> None:
    verdict, found = only(base=base, head=head, reason="it broke")
    assert (verdict.status, verdict.regressed, found) == (status, regressed, code)
    assert ("it broke" in verdict.reason) == ("failed" in (base, head) and head != "absent")


def test_a_cell_of_no_side_is_refused() -> None:
    with pytest.raises(ValueError, match="a is neither in BASE nor in HEAD"):
        only(base="absent", head="absent")


def test_unchanged_needs_no_measurement() -> None:
    verdict, code = only(unchanged=True)
    assert (verdict.status, code) == ("unchanged", 0)


def test_nothing_measured_is_unclear() -> None:
    assert only()[0].status == "unclear"
    assert only()[1] == 2
    assert decide([], TOLERANCES) == Decision(())
    assert Decision(()).exit_code == 2


def test_one_cell_that_could_be_compared_is_enough() -> None:
    cells = [
        CellEvidence("a", speed=speed("a", 5.0, 5.0, 30.0)),
        CellEvidence("b", speed=speed("b", 5.0, 5.0)),
        CellEvidence("c", base="absent"),
    ]
    decision = decide(cells, TOLERANCES)
    assert [v.status for v in decision.verdicts] == ["unclear", "same", "new"]
    assert decision.exit_code == 0


def test_lost_points_are_judged_by_their_standard_error() -> None:
    # 0.5 points lost, 0.1 tolerated, a standard error of 0.2: z = 2.
    found = points(70.0, 69.5, 0.2)
    assert evidence.p_less_accurate(found, TOLERANCES) == pytest.approx(0.02275, abs=1e-4)
    assert evidence.loss(found).value == pytest.approx(0.5)
    verdict, code = only(accuracy=found, speed=speed("a", 5.0, 5.0))
    assert (verdict.status, code) == ("same", 0)
    assert verdict.reason.endswith("; lost 0.50 points (0.30 to 0.70)")
    verdict, code = only(accuracy=points(70.0, 69.5, 0.1), speed=speed("a", 5.0, 5.0))
    assert (verdict.status, verdict.regressed, code) == ("less accurate", True, 1)


def test_standard_error_is_of_a_sample() -> None:
    # One point lost, and 1 and 0 on two resamples: 0.9 / sqrt(1 / 2).
    found = AccuracyEvidence("a", np.array([70.0, 70, 70]), np.array([69.0, 69, 70]))
    assert evidence.p_less_accurate(found, TOLERANCES) == pytest.approx(0.10154, abs=1e-4)


def test_identical_accuracies_lost_exactly_nothing() -> None:
    found = points(70.0, 70.0, 0.0)
    assert evidence.p_less_accurate(found, TOLERANCES) == 1.0
    assert evidence.p_less_accurate(found, replace(TOLERANCES, points=0.0)) == 1.0
    verdict, code = only(accuracy=found)
    assert (verdict.status, code) == ("same", 0)
    assert verdict.loss is not None
    assert (verdict.loss.value, verdict.loss.low, verdict.loss.high) == (0, 0, 0)


@pytest.mark.parametrize("accuracy", [None, points(70.0, 69.95, 0.2)])
@pytest.mark.parametrize("unchanged", [True, False])
def test_leaving_the_margin_that_base_kept_is_worse(accuracy: Any, unchanged: bool) -> None:
    verdict, code = only(accuracy=accuracy, unchanged=unchanged, left_margin=True)
    assert (verdict.status, code) == ("less accurate", 1)
    assert verdict.reason.startswith("left its margin")


def test_unchanged_files_may_answer_worse() -> None:
    verdict, code = only(unchanged=True, accuracy=points(80.0, 20.0, 0.2))
    assert (verdict.status, code) == ("less accurate", 1)
    assert only(unchanged=True, accuracy=points(80.0, 80.0, 0.0))[0].status == "unchanged"


def test_a_cell_slower_and_less_accurate_says_both() -> None:
    slow = speed("a", 5.0, 5.5)
    verdict, _ = only(speed=slow, again=slow, accuracy=points(70.0, 60.0, 0.1))
    assert verdict.status == "less accurate"
    assert "+10.0 %" in verdict.reason
    assert "lost 10.00 points" in verdict.reason


def test_an_accuracy_that_is_no_number_is_a_failure() -> None:
    verdict, code = only(accuracy=points(70.0, math.nan, 0.1))
    assert (verdict.status, verdict.regressed, code) == ("failed", True, 1)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2,), (2,)), ((3, 1), (3, 1))])
def test_accuracies_of_other_shapes_are_refused(shapes: Any) -> None:
    with pytest.raises(ValueError, match="two resamples or more"):
        AccuracyEvidence("a", *(np.ones(shape) for shape in shapes))
