"""The search over candidates, with outcomes that are made up."""

from __future__ import annotations

import numpy as np

from fqbench.propose.evidence import Candidate, Outcome
from fqbench.propose.search import Known, search
from fqbench.spec.preprocessing import Letterbox, Preprocess, Stretch
from fqbench.tasks.recognition import Guess
from fqbench.tasks.registry import decoders
from fqbench.vision.normalization import IMAGENET, PIXELS, UNIT, usual

SIZE = (64, 64)
UNDECODED = decoders()["none"].settings(kind="none")
EQUAL = Outcome(points=50.0, each=np.full(8, 50.0))
LETTERBOX = Letterbox(kind="letterbox", size=SIZE)


def guess(*ways: Preprocess, stated: str | None = None) -> Guess:
    return Guess(UNDECODED, "likely", "it looks so", ways, stated)


def wanting(best: Preprocess, asked: list[Preprocess] | None = None):
    """Points for each part of the preprocessing that is as in ``best``."""

    def attempt(candidate: Candidate) -> Outcome:
        way = candidate.preprocess
        assert isinstance(way, Preprocess)
        if asked is not None:
            asked.append(way)
        same = (way.resize == best.resize, way.color == best.color, way.scale == best.scale)
        points = 10.0 * sum(same) + 1
        return Outcome(points=points, each=np.full(8, points))

    return attempt


def test_each_axis_is_found() -> None:
    best = usual(Stretch(kind="stretch", size=SIZE), PIXELS, "bgr")
    found = search([("a", guess(usual(LETTERBOX, UNIT)))], 3, Known(), wanting(best))
    assert found.candidate.preprocess == best
    assert found.outcome.points == 31.0
    assert dict(found.colors).keys() == {"rgb"}
    assert {name for name, _ in found.resizes} == {"letterbox, center", "letterbox, top_left"}


def test_equal_points_leave_what_is_usual() -> None:
    first = usual(LETTERBOX, UNIT)
    found = search([("a", guess(first))], 3, Known(), lambda _: EQUAL)
    assert found.candidate.preprocess == first


def test_what_is_known_is_not_tried() -> None:
    asked: list[Preprocess] = []
    best = usual(LETTERBOX, UNIT)
    known = Known(PIXELS, "bgr")
    found = search([("a", guess(usual(LETTERBOX, IMAGENET)))], 3, known, wanting(best, asked))
    assert {(way.scale, way.color) for way in asked} == {(1.0, "bgr")}
    assert (found.normalizations, found.colors) == ((), ())


def test_one_channel_is_gray_with_one_mean() -> None:
    best = usual(LETTERBOX, UNIT)
    found = search([("a", guess(usual(LETTERBOX, IMAGENET)))], 1, Known(), wanting(best))
    way = found.candidate.preprocess
    assert isinstance(way, Preprocess)
    assert (way.color, len(way.mean), len(way.std)) == ("gray", 1, 1)


def test_what_is_stated_is_taken_as_it_is() -> None:
    asked: list[Preprocess] = []
    first = usual(LETTERBOX, UNIT)
    said = guess(first, usual(LETTERBOX, PIXELS), stated="the file says so")
    found = search([("a", said)], 3, Known(), wanting(usual(LETTERBOX, PIXELS), asked))
    assert found.candidate.preprocess == first
    assert asked == [first]
