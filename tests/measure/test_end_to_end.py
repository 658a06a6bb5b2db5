"""From an image's file to its answer: parts that are timed where they happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fqbench.errors import UsageError
from fqbench.measure.cell_loading import Reading
from fqbench.measure.end_to_end import PARTS, Application, part, whole
from fqbench.measure.latency import TimingBudget
from fqbench.spec import Preprocess

LAUNCHES = [
    # Two images: 1 + 2 + 3 + 4 and 5 + 6 + 7 + 8.
    [(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)],
    [(1.0, 1.0, 1.0, 1.0)],
]


def test_a_block_gives_the_mean_of_its_images():
    assert whole(LAUNCHES) == [[(18.0,)], [(4.0,)]]
    assert part(LAUNCHES, "decode") == [[(3.0,)], [(1.0,)]]
    assert part(LAUNCHES, "postprocess") == [[(6.0,)], [(1.0,)]]


@given(st.lists(st.floats(1e-6, 1e3), min_size=4, max_size=40))
def test_parts_add_up_to_the_whole(times):
    block = tuple(times[: len(times) // 4 * 4])
    parts = [part([[block]], name)[0][0][0] for name in PARTS]
    assert whole([[block]])[0][0][0] == pytest.approx(sum(parts))


class Runner:
    """Takes 0.5 s by a clock that it moves."""

    def __init__(self):
        self.now, self.tensors = 0.0, []

    def clock(self):
        self.now += 0.001  # Looking at it takes a while, too.
        return self.now

    def run(self, inputs):
        self.tensors.append(inputs[0])
        self.now += 0.5
        return [inputs[0].sum()]


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / f"{value}.png" for value in (10, 200)]
    for path in paths:
        Image.new("RGB", (12, 8), (int(path.stem),) * 3).save(path)
    return paths


def application(runner, images, decode):
    reading = Reading(
        preprocess=Preprocess.model_validate({"resize": {"kind": "stretch", "size": [4, 6]}}),
        inputs=("x",),
    )
    return Application(runner, reading, decode, images, runner.clock)


def test_every_image_goes_all_the_way(images):
    runner, decoded = Runner(), []

    def decode(outputs, geometry):
        runner.now += 0.25
        decoded.append((outputs[0], geometry.image_size))

    block = application(runner, images, decode).block(2)
    assert [tensor.shape for tensor in runner.tensors] == [(1, 3, 4, 6)] * 4
    sums = [tensor.sum() for tensor in runner.tensors]
    assert decoded == [(total, (8, 12)) for total in sums]
    assert sums[0] == sums[2] != sums[1] == sums[3]
    assert block == pytest.approx([0.001, 0.001, 0.501, 0.251] * 4)


def test_without_a_decoder_outputs_are_the_answer(images):
    block = application(Runner(), images, None).block(1)
    assert block == pytest.approx([0.001, 0.001, 0.501, 0.001] * 2)


def test_warm_up_answers_all_images(images):
    runner = Runner()
    runs = application(runner, images, None).warm_up(TimingBudget(warm_up=0.0, block=0.03))
    assert runs == 1
    assert len(runner.tensors) % len(images) == 0


def test_broken_image_is_named(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"broken\.png"):
        application(Runner(), [broken], None).block(1)
