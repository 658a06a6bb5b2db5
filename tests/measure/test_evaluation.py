"""Streaming a data set through a runner: order, faults, and how much is in memory."""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fqbench.errors import StepError, UsageError
from fqbench.measure import cell_loading
from fqbench.measure.cell_loading import Reading
from fqbench.measure.evaluation import (
    Evaluation,
    Feed,
    Named,
    Share,
    one_at_a_time,
    reported,
    share,
)
from fqbench.measure.prediction import Prediction
from fqbench.spec import Preprocess, Stretch
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.shared import PythonDecoder

SIZE = 8
PREPROCESS = Preprocess(resize=Stretch(kind="stretch", size=(SIZE, SIZE)))
READING = Reading(preprocess=PREPROCESS, inputs=("x",))
WORKERS = 2
MOST = 2 * WORKERS + 4


class FakeRunner:
    """Answers the red of the first pixel; ``on_run`` is called with it before."""

    def __init__(self, on_run: Callable[[int], object] = lambda red: None) -> None:
        self._on_run = on_run
        self.threads: list[int] = []

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        red = inputs[0][:, 0, :1, 0].copy()
        self._on_run(int(red[0, 0]))
        self.threads.append(threading.get_ident())
        return [red]

    def int8_convolutions(self) -> int:
        return 0


Runners = Callable[..., list[FakeRunner]]


@pytest.fixture(params=[1, 2], ids=["one", "two"])
def runners(request: pytest.FixtureRequest) -> Runners:
    """One runner or two."""
    return lambda *on_run: [FakeRunner(*on_run) for _ in range(request.param)]


def _red(outputs: Sequence[Any], geometry: object) -> int:
    return int(outputs[0][0, 0])


def _evaluation(decode: Callable[[Any, Any], Any] = _red) -> Evaluation:
    return Evaluation(READING, decode, WORKERS)


@pytest.fixture
def samples(tmp_path: Path) -> list[Named]:
    """Forty images; the red of each is its number, and its id a thousand more."""
    found = []
    for number in range(40):
        path = tmp_path / f"{number:02}.bmp"
        Image.new("RGB", (SIZE * 2, SIZE * 2), (number, 0, 0)).save(path)
        found.append((1000 + number, path, None))
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_each_image_gets_its_own_answer_in_order(samples: list[Named], runners: Runners) -> None:
    found = list(_evaluation().answers(runners(), iter(samples)))
    assert found == [Prediction(1000 + number, number) for number in range(40)]


def test_a_single_runner_stays_in_its_thread(samples: list[Named]) -> None:
    runner = FakeRunner()
    list(_evaluation().answers([runner], samples))
    assert set(runner.threads) == {threading.get_ident()}


def test_several_runners_run_at_the_same_time(samples: list[Named]) -> None:
    # Each waits for the other: one after the other neither would end.
    meeting = threading.Barrier(2, timeout=10)
    runners = [FakeRunner(lambda red: meeting.wait()) for _ in "ab"]
    assert len(list(_evaluation().answers(runners, samples))) == len(samples)


def test_a_runner_runs_one_image_at_a_time(samples: list[Named]) -> None:
    def alone() -> FakeRunner:
        inside = threading.Lock()

        def check(red: int) -> None:
            assert inside.acquire(blocking=False)
            time.sleep(0.001)
            inside.release()

        return FakeRunner(check)

    used = [alone(), alone()]
    list(_evaluation().answers(used, samples))
    assert all(runner.threads for runner in used)


def test_a_users_decoder_gets_one_image_at_a_time(samples: list[Named], runners: Runners) -> None:
    inside, seen = threading.Lock(), []

    def decode(outputs: Any, geometry: Any) -> int:
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        seen.append(_red(outputs, geometry))
        inside.release()
        return seen[-1]

    list(_evaluation(one_at_a_time(decode)).answers(runners(), samples))
    assert sorted(seen) == list(range(40))


def test_only_a_users_decoder_is_locked() -> None:
    own = PythonDecoder(kind="python", function="tests.measure.test_evaluation:_red")
    locked = Evaluation.of(READING, own, 1, allow_code=True).decode
    free = Evaluation.of(READING, Logits(kind="logits"), 1, allow_code=True).decode
    assert "one_at_a_time" in getattr(locked, "__qualname__", "")
    assert "one_at_a_time" not in getattr(free, "__qualname__", "")


def test_only_a_few_images_are_in_memory(
    samples: list[Named], runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, alive, most = threading.Lock(), 0, 0

    def count(change: int) -> None:
        nonlocal alive, most
        with lock:
            alive += change
            most = max(most, alive)

    real = Evaluation.read

    def read(self: Evaluation, sample: Named) -> Feed:
        feed = real(self, sample)
        count(1)
        weakref.finalize(feed.tensors[0], count, -1)
        return feed

    monkeypatch.setattr(Evaluation, "read", read)
    slow = runners(lambda red: time.sleep(0.002))
    assert len(list(_evaluation().answers(slow, samples * 5))) == 200
    # The next images are read while the runtime is busy, so that some are.
    assert 2 <= most <= MOST
    assert alive == 0


def test_images_are_read_while_the_runtime_runs(
    samples: list[Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, begun, real = threading.Semaphore(0), set(), cell_loading.read_image

    def reading(path: Path) -> Any:
        begun.add(int(path.stem))
        read.release()
        return real(path)

    def wait_for_the_next(red: int) -> None:
        while red < len(samples) - 1 and red + 1 not in begun:
            assert read.acquire(timeout=10)

    monkeypatch.setattr(cell_loading, "read_image", reading)
    list(_evaluation().answers([FakeRunner(wait_for_the_next)], samples))


def test_a_broken_image_is_named(samples: list[Named], runners: Runners) -> None:
    path = samples[20][1].with_suffix(".jpg")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    samples[20] = (1020, path, None)
    with pytest.raises(UsageError, match=r"cannot read image .*20.jpg: .*truncated"):
        list(_evaluation().answers(runners(), samples))


def test_an_image_that_vanishes_midway_is_named(samples: list[Named], runners: Runners) -> None:
    found: list[object] = []

    def vanish(red: int) -> None:
        if red == 3:
            samples[30][1].unlink()

    answers = _evaluation().answers(runners(vanish), samples)
    with pytest.raises(UsageError, match=r"cannot read image .*30.bmp: No such file"):
        found.extend(prediction.answer for prediction in answers)
    # What is before it is right; a few may be on their way.
    assert found == list(range(len(found)))
    assert 30 - MOST <= len(found) <= 30


def test_what_runtime_and_decoder_raise_ends_the_evaluation(
    samples: list[Named], runners: Runners
) -> None:
    def break_at_7(red: int) -> None:
        if red == 7:
            raise StepError("the runtime broke")

    with pytest.raises(StepError, match="the runtime broke"):
        list(_evaluation().answers(runners(break_at_7), samples))

    def refuse(outputs: Any, geometry: Any) -> int:
        raise StepError("the model's output holds NaN")

    with pytest.raises(StepError, match="holds NaN"):
        list(_evaluation(refuse).answers(runners(), samples))


def test_who_stops_midway_leaves_nothing_running(samples: list[Named], runners: Runners) -> None:
    answers = _evaluation().answers(runners(), samples)
    assert next(answers).image_id == 1000
    answers.close()


def test_threads_leave_warnings_as_they_were(samples: list[Named], runners: Runners) -> None:
    filters = list(warnings.filters)
    list(_evaluation().answers(runners(), samples))
    assert warnings.filters == filters


def test_a_bomb_is_refused_by_every_thread(
    samples: list[Named], runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow only warns up to the double of its limit.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIZE * SIZE * 3)
    for sample in samples:
        with pytest.raises(UsageError, match="larger than the 192 pixels"):
            list(_evaluation().answers(runners(), [sample] * 3))


def test_progress_is_told_image_by_image() -> None:
    told: list[tuple[int, int]] = []
    predictions = [Prediction(number, 1) for number in range(3)]
    passed = reported(predictions, 3, lambda *progress: told.append(progress))
    assert list(passed) == predictions
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("backend", "device", "cores", "expected"),
    [
        ("onnxruntime", "gpu", 8, Share(1, 6, 2)),
        ("tensorrt", "gpu", 2, Share(1, 1, 1)),
        ("onnxruntime", "cpu", 1, Share(1, 1, 1)),
        ("onnxruntime", "cpu", 2, Share(2, 1, 2)),
        ("onnxruntime", "cpu", 8, Share(8, 1, 8)),
        ("onnxruntime", "cpu", 20, Share(8, 2, 8)),
        ("paddle", "cpu", 1, Share(1, 1, 1)),
        ("paddle", "cpu", 2, Share(1, 1, 1)),
        ("paddle", "cpu", 4, Share(1, 3, 1)),
        ("paddle", "cpu", 8, Share(1, 6, 2)),
    ],
)
def test_cores_are_shared(backend: str, device: str, cores: int, expected: Share) -> None:
    assert share(backend, device, cores) == expected
