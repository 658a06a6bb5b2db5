from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.errors import StepError
from fqbench.measure.prediction import FILE, Prediction, read_predictions, write_predictions
from fqbench.tasks.classification.answers import TopClass
from fqbench.tasks.detection.answers import BOX, Detections

ids = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(-1e6, 1e6, width=32)
box = st.tuples(st.tuples(*[finite] * 4), st.floats(0, 1, width=32), st.integers(0, 2**40))


def _found(boxes: list[tuple[Any, float, int]]) -> Detections:
    corners, scores, labels = ([entry[part] for entry in boxes] for part in range(3))
    return Detections(
        np.array(corners, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels, np.int64),
    )


def _same(one: Prediction, other: Prediction) -> bool:
    if not isinstance(one.answer, Detections) or not isinstance(other.answer, Detections):
        return one == other
    pairs = [
        (getattr(one.answer, part), getattr(other.answer, part))
        for part in ("boxes", "scores", "labels")
    ]
    return one.image_id == other.image_id and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs
    )


def _kept(predictions: list[Prediction]) -> tuple[Prediction, ...]:
    with tempfile.TemporaryDirectory() as folder:
        write_predictions(Path(folder), iter(predictions))
        assert [path.name for path in Path(folder).iterdir()] == [FILE]
        return read_predictions(Path(folder))


@given(st.lists(st.tuples(ids, st.lists(box, max_size=4)), max_size=8))
@settings(deadline=None, max_examples=60)
def test_boxes_are_read_as_they_were_written(images: list[tuple[int, Any]]) -> None:
    predictions = [Prediction(number, _found(boxes)) for number, boxes in images]
    read = _kept(predictions)
    assert len(read) == len(predictions)
    assert all(map(_same, read, predictions))


@given(st.lists(st.tuples(ids, ids, st.floats(0, 1, width=32))))
@settings(deadline=None, max_examples=40)
def test_classes_are_read_as_they_were_written(images: list[tuple[int, int, float]]) -> None:
    predictions = [Prediction(number, TopClass(*top)) for number, *top in images]
    assert list(_kept(predictions)) == predictions


def test_answers_are_of_one_kind(tmp_path: Path) -> None:
    mixed = [Prediction(4, TopClass(1)), Prediction(9, _found([]))]
    for order in (mixed, mixed[::-1]):
        last = order[-1].image_id
        with pytest.raises(StepError, match=rf"a class for some .* boxes for .* image {last}"):
            write_predictions(tmp_path, iter(order))
        assert not (tmp_path / FILE).exists()


def test_a_file_that_would_run_code_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, image_ids=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_predictions(tmp_path)


def test_writing_takes_no_memory_for_boxes(tmp_path: Path) -> None:
    images, boxes = 4000, 300
    found = Detections(
        np.ones((boxes, 4), np.float32), np.ones(boxes, np.float32), np.ones(boxes, np.int64)
    )

    def answers() -> Iterator[Prediction]:
        for number in range(images):
            yield Prediction(number, found)

    write_predictions(tmp_path, iter([Prediction(0, found)]))
    tracemalloc.start()
    write_predictions(tmp_path, answers())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = images * boxes * BOX.itemsize
    assert (tmp_path / FILE).stat().st_size > size == 33_600_000
    # numpy copies the file in blocks of 16 MiB.
    assert peak < 17 * 2**20
