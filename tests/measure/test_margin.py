"""Where a drop stands to its margin: inside, outside, or how many images would tell."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.test_accuracy import test_int8_accuracy_is_within_its_margin as conforms
from fqbench.cells import Cell
from fqbench.measure.margin import MOST_IMAGES, images_needed, sentence, standing
from fqbench.measure.stats import Interval
from fqbench.spec import Margin
from tools.int8_goals import DROP, RATIO, Goal, Measured, judged


@pytest.mark.parametrize(
    ("ends", "margin", "wanted"),
    [
        ((0.5, 0.0, 1.0), 1.0, "inside"),
        ((0.8, 0.0, 1.8), 1.0, "not known"),
        ((1.5, 1.0, 2.0), 1.0, "not known"),
        ((1.5, 1.01, 2.0), 1.0, "outside"),
        ((-3.0, -5.0, -1.0), 0.0, "inside"),
        ((0.0, 0.0, 0.0), 0.0, "inside"),
        ((-0.1, -0.4, 0.2), 0.0, "not known"),
    ],
)
def test_the_whole_interval_decides(ends, margin, wanted):
    assert standing(Interval(*ends), margin) == wanted


@pytest.mark.parametrize(
    ("ends", "images", "wanted"),
    [
        ((0.8, 0.0, 1.8), 500, 13_000),  # 1.0 to be 0.2: 25 times as many.
        ((1.5, 0.5, 2.5), 40, 160),  # 1.0 to be 0.5: four times.
        ((0.5, -0.5, 1.01), 300, 320),  # 0.51 to be 0.5.
        ((1.0, 0.0, 2.0), 500, None),
        ((0.999, 0.0, 2.0), 5000, None),
    ],
)
def test_width_falls_with_the_square_root_of_the_images(ends, images, wanted):
    assert images_needed(Interval(*ends), 1.0, images) == wanted


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5), st.integers(1, 100_000))
def test_as_many_images_tell_if_the_drop_stays(value, below, above, margin, images):
    drop = Interval(value, value - below, value + above)
    if standing(drop, margin) != "not known":
        return
    needed = images_needed(drop, margin, images)
    if needed is None:
        return
    assert images <= needed <= 1.1 * MOST_IMAGES + 100_000
    width = (images / needed) ** 0.5 * (1 - 1e-9)
    narrower = Interval(value, value - width * below, value + width * above)
    assert standing(narrower, margin) != "not known"


def test_sentences():
    start = "INT8 loses 0.80 points (95 % interval 0.00 to 1.80)"
    drop = Interval(0.8, 0.0, 1.8)
    assert sentence(drop, 2.0, 500) == f"{start}, inside of its margin of 2"
    assert sentence(drop, 1.0, 500) == (
        f"{start}; whether that is within its margin of 1 is not known: about 13000 images instead"
        " of 500 would tell, were the drop the same"
    )
    assert sentence(drop, 0.8, 500).endswith("is so near that no number of images would tell")
    assert sentence(drop, 1.0, None).endswith("within its margin of 1 is not known")


def conformance(drop, accuracy=97.0):
    """What the conformance test makes of a measured drop and a margin of 1."""
    pipeline = SimpleNamespace(images=SimpleNamespace(data=SimpleNamespace(samples=range(500))))
    pair = SimpleNamespace(fp32=None, int8=Cell("net", "paddle", "cpu", "int8"))
    margin = Margin(drop=1.0, source="a goal", reason="small")
    matrix = SimpleNamespace(margin=lambda cell: margin, pipeline=lambda model: pipeline)
    conforms(pair, matrix, lambda cell: accuracy, lambda pair: drop)


def test_conformance_passes_inside_fails_outside_and_says_what_is_not_known():
    conformance(Interval(0.5, 0.0, 1.0))
    with pytest.raises(
        pytest.fail.Exception, match=r"outside of its margin of 1 \(a goal: small\)"
    ):
        conformance(Interval(1.5, 1.1, 2.0))
    with pytest.raises(pytest.xfail.Exception, match="about 13000 images instead of 500"):
        conformance(Interval(0.8, 0.0, 1.8))


@pytest.mark.parametrize(
    ("goal", "ends", "wanted"),
    [
        (DROP, (0.2, 0.0, 0.4), "reached"),
        (DROP, (0.2, 0.0, 0.7), "not known: 350 images"),
        (DROP, (0.9, 0.6, 1.2), "MISSED"),
        (RATIO, (0.6, 0.4, 0.8), "reached"),
    ],
)
def test_goals_are_judged_as_margins_are(goal, ends, wanted):
    value, *interval = ends
    assert judged(Goal("net", "paddle", goal, 0.5), Measured(value, tuple(interval), 125)) == wanted
