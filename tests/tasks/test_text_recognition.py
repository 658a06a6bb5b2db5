from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.data import open_dataset
from fqbench.errors import StepError, UsageError
from fqbench.measure.prediction import Prediction, read_predictions, write_predictions
from fqbench.tasks.decoding import decoder
from fqbench.tasks.text_recognition.answers import Word
from fqbench.tasks.text_recognition.dataset import Transcripts, TranscriptSet
from fqbench.tasks.text_recognition.decode import CTC, Ctc
from fqbench.tasks.text_recognition.disagreement import expected_loss
from fqbench.tasks.text_recognition.edits import edit_distance, similarity
from fqbench.tasks.text_recognition.metric import EDITS, EXACT, compared
from fqbench.vision.geometry import Geometry

SAME = Geometry((48, 320), (1.0, 1.0), (0.0, 0.0))
LETTERS = Ctc(kind="ctc", characters=("a", "b"))


def steps(*best: int, classes: int = 4, score: float = 0.7) -> np.ndarray:
    """Probabilities of a step each, of "no letter", "a", "b" and a space."""
    found = np.full((len(best), classes), (1 - score) / (classes - 1), np.float32)
    found[np.arange(len(best)), best] = score
    return found[None]


def read(output: np.ndarray, settings: Ctc = LETTERS) -> Word:
    answer = decoder(settings, (48, 320))([output], SAME)
    assert isinstance(answer, Word)
    return answer


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ((1, 1, 0, 1, 2), "aab"),
        ((0, 0, 0), ""),
        ((1, 3, 2), "a b"),
        ((2, 2, 2), "b"),
        ((0, 1, 2, 1, 0), "aba"),
    ],
)
def test_repeated_letters_are_one_and_blanks_none(best: tuple[int, ...], text: str) -> None:
    found = read(steps(*best))
    assert found.text == text
    np.testing.assert_allclose(found.scores, [0.7] * len(text))


def test_a_list_may_have_no_space() -> None:
    assert read(steps(1, 2, classes=3)).text == "ab"


def test_logits_become_probabilities() -> None:
    output = np.array([[[0.0, np.log(3.0), 0.0, 0.0]]], np.float32)
    found = read(output)
    assert found.text == "a"
    np.testing.assert_allclose(found.scores, [0.5], rtol=1e-6)


def test_a_character_may_be_several_letters() -> None:
    found = read(steps(1, 2), Ctc(kind="ctc", characters=("fi", "b")))
    assert found.text == "fib"
    assert found.scores.shape == (3,)


def test_a_list_of_another_length_is_told() -> None:
    with pytest.raises(StepError, match=r"scores 7 letters, decode.characters has 2"):
        read(steps(1, classes=7))


def test_characters_come_from_the_file() -> None:
    assert CTC.completed is not None
    bare = Ctc(kind="ctc")
    completed = CTC.completed(bare, {"character": "a\nb\n \n"})
    assert completed == Ctc(kind="ctc", characters=("a", "b", " "))
    assert CTC.completed(LETTERS, {"character": "x"}) == LETTERS
    with pytest.raises(
        UsageError, match=r"notes no characters \(metadata 'character'\): list them"
    ):
        CTC.completed(bare, {})


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("flaw", "lawn", 2),
        ("ab", "ba", 2),
    ],
)
def test_edit_distance_by_hand(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == distance
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)


@settings(deadline=None)
@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edit_distance_is_a_distance(one: str, two: str, three: str) -> None:
    assert (edit_distance(one, two) == 0) == (one == two)
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)
    assert 0 <= similarity(one, two) <= 1


def word(text: str, score: float = 1.0) -> Word:
    return Word(text, np.full(len(text), score, np.float32))


def test_what_is_lost_is_by_how_much_less_sure_a_text_is() -> None:
    assert expected_loss([word("abc")], [word("abc")]) == 0.0
    assert expected_loss([], []) == 0.0
    # Both letters with 0.5: the text was sure by 1, and is by 0.25.
    assert expected_loss([word("ab")], [word("ab", 0.5)]) == pytest.approx(0.75**2)
    # Of another text nothing is left, where that is sure; at most one half, where it is not.
    assert expected_loss([word("ab")], [word("ax")]) == 1.0
    assert expected_loss([word("a")], [word("x", 0.5)]) == pytest.approx(0.25)
    assert expected_loss([word("a", 0.5)], [word("x", 0.5)]) == 0.0
    # The mean over all texts.
    assert expected_loss([word("ab"), word("ab")], [word("ax"), word("ab")]) == 0.5


def test_a_text_that_is_about_to_change_costs_as_much_as_one_that_just_did() -> None:
    before = expected_loss([word("a", 0.9)], [word("a", 0.5)])
    assert before == pytest.approx(expected_loss([word("a", 0.9)], [word("b", 0.5)]))


def test_what_the_metric_does_not_look_at_costs_nothing() -> None:
    assert expected_loss([word("Stop!")], [word("stop")]) == 0.0
    unsure = Word("stop!", np.array([1, 1, 1, 1, 0.1], np.float32))
    assert expected_loss([word("stop")], [unsure]) == 0.0
    # A text of signs alone counts whole.
    assert expected_loss([word("&")], [word("%")]) == 1.0


def test_the_error_stands_for_the_part_that_is_lost() -> None:
    assert CTC.comparison is not None
    error = CTC.comparison.error([word("abcd"), word("abcd")], [word("abcx"), word("abcd")])
    assert error * EXACT.loss == pytest.approx(0.5)


@pytest.fixture
def data(tmp_path: Path) -> TranscriptSet:
    (tmp_path / "words").mkdir()
    texts = ["Hotel", "12 %", "don't", "&", "last"]
    for number in range(len(texts)):
        (tmp_path / f"words/{number}.png").touch()
    lines = [f"words/{number}.png\t{text}" for number, text in enumerate(texts)]
    (tmp_path / "labels.tsv").write_text("\n".join(lines) + "\n")
    settings = Transcripts(
        kind="transcripts", images=tmp_path, list=tmp_path / "labels.tsv", count=4
    )
    found = open_dataset(settings)
    assert isinstance(found, TranscriptSet)
    return found


def test_case_and_punctuation_do_not_count(data: TranscriptSet) -> None:
    answers = [word("HOTEL"), word("12%"), word("dont"), word("*")]
    assert EXACT.points(data, answers) == 75.0
    answers = [word("HOTAL"), word("12%"), word("dont"), word("&")]
    assert EXACT.points(data, answers) == 75.0
    assert EDITS.points(data, answers) == pytest.approx(100 * (0.8 + 3) / 4)
    assert compared("Don't") == "dont"
    assert compared("&") == "&"


def test_weights_count_words(data: TranscriptSet) -> None:
    answers = [word("HOTAL"), word("12%"), word("dont"), word("&")]
    blocks = [np.ones((1, 4)), np.array([[4.0, 0, 0, 0], [2, 2, 0, 0]])]
    np.testing.assert_allclose(EXACT.weighted(data, answers, iter(blocks)), [75, 0, 50])
    np.testing.assert_allclose(EDITS.weighted(data, answers, iter(blocks)), [95, 80, 90])


def test_every_second_word(data: TranscriptSet, tmp_path: Path) -> None:
    settings = Transcripts(
        kind="transcripts", images=tmp_path, list=tmp_path / "labels.tsv", start=1, every=2
    )
    found = open_dataset(settings)
    assert [sample.image_id for sample in found.samples] == [2, 4]


def test_a_line_without_a_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("a.png\tone\nb.png two\n")
    settings = Transcripts(kind="transcripts", images=tmp_path, list=path)
    with pytest.raises(UsageError, match=r"line 2: expected a file, a tab and a text"):
        open_dataset(settings)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1))
def test_texts_survive_the_file(tmp_path_factory: pytest.TempPathFactory, texts: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("predictions")
    write_predictions(folder, [Prediction(i, word(text)) for i, text in enumerate(texts)])
    assert [p.answer.text for p in read_predictions(folder)] == texts
