"""Which images part, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.data import Sample
from fqbench.examine.parting import LONGEST, changes, image, parted, plain
from fqbench.tasks.examination import Comparison, Examination, Shift

EXAMINATION = Examination("F1", "things", lambda data, fp32, int8: compared([], []), str)


def compared(alike: list[float], losses: list[float] | None) -> Comparison:
    fp32 = None if losses is None else np.ones(len(alike))
    int8 = None if losses is None else 1.0 - np.array(losses)
    shift = Shift(1, -0.4, 0.4, (0.85, 0.45), 0) if alike else None
    return Comparison(fp32, int8, np.array(alike), (), shift, "somewhere")


def test_the_greatest_loss_comes_first_then_what_is_least_alike() -> None:
    found = compared([0.2, 0.9, 0.1, 1.0, 0.97], [0.5, 1.0, 0.5, 0.0, 0.0])
    assert parted(found).tolist() == [1, 2, 0]


def test_what_gets_better_parts_too_and_comes_last() -> None:
    assert parted(compared([0.5, 0.5, 0.5], [-0.5, 0.0, 0.1])).tolist() == [2, 1, 0]


def test_without_labels_what_is_least_alike_comes_first() -> None:
    assert parted(compared([0.94, 0.96, 0.2], None)).tolist() == [2, 0]


def test_changes() -> None:
    samples = [Sample(i, Path(f"{i}\n.png")) for i in range(3)]
    found = changes(EXAMINATION, compared([0.5, 0.5, 1.0], [-0.5, 0.2, 0.0]), samples)
    assert (found.images, found.parted, found.worse, found.better) == (3, 2, 1, 1)
    assert (found.measure, found.measured_at, found.unit) == ("F1", "somewhere", "things")
    assert found.shift_image == "0\N{REPLACEMENT CHARACTER}.png"
    found = changes(EXAMINATION, compared([0.5], None), samples[:1])
    assert (found.worse, found.better) == (None, None)


def test_an_image() -> None:
    found = image(EXAMINATION, compared([0.5], [0.25]), "a.png", 0, ("this", "that"))
    assert (found.fp32, found.int8, found.alike, found.loss) == (1.0, 0.75, 0.5, 0.25)
    assert (found.fp32_says, found.int8_says) == ("this", "that")
    found = image(EXAMINATION, compared([0.5], None), "a.png", 0, ("this", "that"))
    assert (found.fp32, found.loss) == (None, 0.5)


@given(st.text(st.characters()))
@settings(deadline=None)
def test_any_name_becomes_one_line_that_a_file_can_hold(name: str) -> None:
    found = plain(name)
    assert len(found) <= LONGEST
    assert found.isprintable()
    found.encode()


def test_names_that_no_text_holds() -> None:
    assert plain("a\udcffb") == "a?b"
