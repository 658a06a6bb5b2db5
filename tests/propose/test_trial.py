"""Candidates tried on labelled images, by a model that is a function of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fqbench.data import open_dataset
from fqbench.propose.evidence import Candidate, answers_images, beats
from fqbench.propose.trial import Subject, Trials, chosen
from fqbench.spec.contents import Contents
from fqbench.spec.datasets import ImageList
from fqbench.tasks.classification.decode import Logits
from fqbench.vision.normalization import PIXELS, in_color, usual

SIZE = (4, 4)
IMAGES = 12
LABELS = [number % 3 for number in range(IMAGES)]
"""In a cycle, as lists of class by class often have them."""

COLORS = ((250, 20, 20), (20, 250, 20), (20, 20, 250))

RGB = Candidate(
    "classification",
    Logits(kind="logits"),
    usual({"kind": "stretch", "size": SIZE}, PIXELS),
)
BGR = Candidate(RGB.task, RGB.decode, in_color(RGB.preprocess, "bgr"))  # type: ignore[arg-type]


def by_color(tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The mean of each channel: red is class 0, green 1, blue 2."""
    return [tensors[0].mean(axis=(2, 3))]


def always_red(tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.array([[1.0, 0.0, 0.0]])]


@pytest.fixture
def trials(tmp_path: Path) -> Callable[[Callable], Trials]:
    """Trials of a model on images of one color each."""
    lines = []
    for number, label in enumerate(LABELS):
        pixels = np.full((6, 6, 3), COLORS[label], np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
        lines.append(f"{number:02}.png {label}\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    dataset = ImageList(kind="imagenet", images=tmp_path, list=tmp_path / "list.txt")

    def of(run: Callable) -> Trials:
        contents = Contents({"x": (1, 3, *SIZE)}, {"y": (1, 3)}, {})
        subject = Subject(tmp_path / "net.onnx", contents, "x", "nchw", {}, run)
        return Trials(subject, chosen(open_dataset(dataset), IMAGES), dataset)

    return of


def test_a_model_that_sees_is_told_from_one_that_does_not(trials: Callable) -> None:
    seeing, blind = trials(by_color)(RGB), trials(always_red)(RGB)
    assert seeing.points == 100.0
    assert answers_images(seeing)
    assert blind.points == pytest.approx(100 / 3)
    assert not answers_images(blind)


def test_the_order_of_colors_is_shown(trials: Callable) -> None:
    attempt = trials(by_color)
    assert attempt(BGR).points == pytest.approx(100 / 3)
    assert beats(attempt(RGB), attempt(BGR))
    assert not beats(attempt(BGR), attempt(RGB))


def test_a_candidate_is_run_once(trials: Callable) -> None:
    runs = []

    def counted(tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
        runs.append(tensors)
        return by_color(tensors)

    attempt = trials(counted)
    assert attempt(RGB) is attempt(RGB)
    assert len(runs) == IMAGES


def test_what_cannot_be_read_has_a_reason(trials: Callable) -> None:
    found = trials(lambda tensors: [np.zeros((1, 3, 5))])(RGB)
    assert found.failure is not None
    assert "needs one of [1, classes]" in found.failure


def test_images_are_chosen_evenly_and_always_alike(trials: Callable) -> None:
    data = trials(by_color).data
    first, second = chosen(data, 5), chosen(data, 5)
    assert first.samples == second.samples
    assert len(first.samples) == 4
