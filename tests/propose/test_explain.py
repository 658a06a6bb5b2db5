"""How sure proposals are, by outcomes that are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fqbench.propose.evidence import Candidate, Outcome
from fqbench.propose.explain import explained
from fqbench.propose.inputs import find_image
from fqbench.propose.inside import Inside
from fqbench.propose.proposal import Proposed
from fqbench.propose.search import Tried
from fqbench.propose.trial import Subject
from fqbench.spec.contents import Contents
from fqbench.spec.datasets import ImageList
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.recognition import Guess
from fqbench.vision.normalization import PIXELS, UNIT, usual

WAY = usual({"kind": "stretch", "size": (8, 8)}, UNIT)
OTHER = WAY.model_copy(update={"color": "bgr"})
DATASET = ImageList(kind="imagenet", images=Path("images"))


def scored(good: int, bad: int = 0) -> Outcome:
    """``good`` images right that are wrong with other images' answers, ``bad`` the reverse."""
    each = np.array([100.0] * good + [0.0] * bad)
    return Outcome(points=float(each.mean()), each=each, others=100 - each, images=good + bad)


def worse(images: int) -> Outcome:
    zeros = np.zeros(images)
    return Outcome(points=0.0, each=zeros, others=zeros, images=images)


def proposed(
    outcome: Outcome,
    *,
    others: Outcome | None = None,
    guess: dict[str, Any] | None = None,
    inside: Inside | None = None,
    kind: str = "float32",
) -> Proposed:
    decode = Logits(kind="logits")
    made = Guess(
        decode,
        **{"sureness": "likely", "reason": "so", "preprocess": (WAY, OTHER), **(guess or {})},
    )
    rest = () if others is None else (("other", others),)
    tried = Tried(Candidate("classification", decode, WAY), outcome, made, rest, rest, rest, rest)
    contents = Contents({"x": (1, 3, 8, 8)}, {}, {}, types={"x": kind})
    subject = Subject(Path("net.onnx"), contents, "x", "nchw", {}, lambda _: [])
    labels = DATASET if outcome.points is not None else None
    named = [("classification", made)]
    return explained(subject, find_image(contents), inside, named, tried, labels)


def sureness(found: Proposed) -> dict[str, str]:
    return {each.key: each.sureness for each in found.proposals}


def test_labels_show_decoder_and_colors_and_never_numbers() -> None:
    found = sureness(proposed(scored(12), others=worse(12)))
    assert (found["task"], found["decode"], found["preprocess.color"]) == ("sure",) * 3
    assert (found["preprocess.resize"], found["preprocess.scale"]) == ("likely", "likely")


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [(7, 0, "sure"), (6, 0, "likely"), (4, 0, "likely"), (3, 0, "guess"), (6, 4, "guess")],
)
def test_few_images_show_less(good: int, bad: int, expected: str) -> None:
    found = sureness(proposed(scored(good, bad), others=worse(good + bad)))
    assert found["task"] == expected


def test_what_is_as_good_otherwise_is_a_guess() -> None:
    found = sureness(proposed(scored(12), others=scored(12)))
    assert (found["decode"], found["preprocess.color"]) == ("likely", "guess")
    assert (found["preprocess.resize"], found["preprocess.scale"]) == ("guess", "guess")


def test_decidedness_is_never_sure() -> None:
    clear, close = Outcome(confidence=0.1), Outcome(confidence=0.9)
    ends = ("preprocess.color", "preprocess.scale", "preprocess.resize")
    for other, expected in ((clear, "likely"), (close, "guess")):
        found = sureness(proposed(Outcome(confidence=1.0, images=6), others=other))
        assert [found[key] for key in ends] == [expected] * 3
        assert found["task"] == "likely"


def test_what_the_file_states_is_sure() -> None:
    said = {"sureness": "sure", "stated": "its exporter says so"}
    found = sureness(proposed(Outcome(confidence=0.0), guess=said))
    assert set(found.values()) == {"sure"}


def test_the_file_s_own_normalization() -> None:
    plain = Outcome(confidence=1.0)
    inside = Inside(PIXELS, "sure", "the model normalizes", "rgb")
    found = sureness(proposed(plain, inside=inside))
    assert (found["preprocess.scale"], found["preprocess.color"]) == ("sure", "likely")
    assert sureness(proposed(plain, kind="uint8"))["preprocess.scale"] == "sure"
    assert sureness(proposed(plain))["preprocess.scale"] == "guess"
