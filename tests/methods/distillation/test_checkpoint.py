"""Checkpoints of a training: what is written is read, and nothing else is taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.methods.distillation.checkpoint import Checkpoint, UnreadableError
from fqbench.methods.distillation.history import BROKEN, Evaluation, History

START = Evaluation(0, None, 0.5, 7.5)
LATER = Evaluation(50, 0.25, 0.125, 1.875)


def checkpoint(best=True):
    state = {
        "conv2d_0.w_0": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
        "beta/pow": np.ones(1),
    }
    history = History((START,)).with_evaluation(LATER, 2.5)
    return Checkpoint(state, {"w1": np.float32([1.5])} if best else None, history)


def alike(first, second):
    assert first.history == second.history
    for one, other in ((first.state, second.state), (first.best or {}, second.best or {})):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("best", [True, False])
def test_what_is_written_is_read(tmp_path, best):
    path = tmp_path / "checkpoint.npz"
    checkpoint(best).write(path)
    alike(Checkpoint.read(path), checkpoint(best))
    assert list(tmp_path.iterdir()) == [path]


def test_the_next_one_takes_the_place_of_the_last(tmp_path):
    path = tmp_path / "checkpoint.npz"
    checkpoint(best=False).write(path)
    checkpoint().write(path)
    alike(Checkpoint.read(path), checkpoint())


@given(st.data())
def test_a_part_of_one_is_none(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("part") / "checkpoint.npz"
    checkpoint().write(path)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(UnreadableError, match=r"^checkpoint\.npz cannot be read: "):
        Checkpoint.read(path)


def test_a_changed_byte_of_an_array_is_found(tmp_path):
    path = tmp_path / "checkpoint.npz"
    checkpoint().write(path)
    content = bytearray(path.read_bytes())
    place = content.index(np.float32(5).tobytes())
    content[place + 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match="CRC"):
        Checkpoint.read(path)


def test_python_objects_are_not_read(tmp_path):
    path = tmp_path / "checkpoint.npz"
    np.savez(path, history=np.array([{"evaluations": []}], dtype=object))
    with pytest.raises(UnreadableError, match="allow_pickle=False"):
        Checkpoint.read(path)


def test_the_best_is_the_first_of_least_error():
    worse, equal = Evaluation(100, 0.2, 0.6, 9.0), Evaluation(150, 0.1, 0.125, 1.875)
    history = History((START, LATER, worse, equal))
    assert history.best == LATER
    assert history.iteration == 150
    assert history.ended(BROKEN).stopped == BROKEN
