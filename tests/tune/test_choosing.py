"""What decides between forms of a quantized graph: detections, ranges, layers."""

import numpy as np
import pytest

from fqbench.quantize.algorithms import identity, search_mse_range
from fqbench.quantize.code_errors import CodeErrors
from fqbench.quantize.histogram import TensorHistogram
from fqbench.quantize.pairs import affine_codes
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.disagreement import disagreement
from fqbench.tune.local import local_errors
from fqbench.tune.search import give_back, minimal_float_prefix, select_wide_ranges
from tests.support.onnx_graphs import Net, record


def detections(*rows):
    """Rows of label, score, x1, y1, x2, y2."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, 2:], table[:, 1], table[:, 0].astype(np.int64))


ONE = (3, 0.8, 0, 0, 10, 10)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([ONE], 0.0),
        ([], 1.0),
        ([(4, 0.8, 0, 0, 10, 10)], 1.0),
        ([(3, 0.4, 0, 0, 10, 10)], 1.0 - 0.8 / 1.2),
        ([(3, 0.8, 0, 0, 10, 5)], 0.5),
        ([ONE, (3, 0.8, 50, 50, 60, 60)], 1.0 - 1.6 / 2.4),
        ([(3, 0.8, 10, 10, 20, 20)], 1.0),
    ],
)
def test_disagreement_of_one_box(found, wanted):
    one, other = [detections(ONE)], [detections(*found)]
    assert disagreement(one, other) == pytest.approx(wanted)
    assert disagreement(other, one) == pytest.approx(wanted)


def test_images_are_compared_each_with_its_own():
    apart = disagreement([detections(ONE), detections()], [detections(), detections(ONE)])
    assert apart == 1.0
    assert disagreement([detections()], [detections()]) == 0.0


def test_boxes_without_an_area_have_nothing_in_common():
    flat = (3, 0.8, 5, 5, 5, 5)
    assert disagreement([detections(flat)], [detections(flat)]) == 1.0


def test_constant_channel_says_nothing_of_a_layer():
    net = Net(1)
    last = net.conv(net.silu(net.conv("x", 3)), 3)
    alive = net.model(last)
    net.weights["w0"][1] = 0.0
    dead = net.model(last)
    image = net.image()
    first, second = (
        local_errors(m, record(m, image), ["n_conv0"], [[image]], affine_codes, results=True)
        for m in (alive, dead)
    )
    assert 0.0 < second["n_conv0"] < 2.0 * first["n_conv0"] < 0.01
    assert net.weights["b0"][1] != 0.0
    net.weights["w0"][:] = 0.0
    nothing = net.model(last)
    found = local_errors(
        nothing, record(nothing, image), ["n_conv0"], [[image]], affine_codes, results=True
    )
    assert found == {"n_conv0": 0.0}


COSTS = {"a": 8.0, "b": 4.0, "c": 2.0, "d": 1.0, "e": 0.5}


def left(kept):
    return sum(cost for name, cost in COSTS.items() if name not in kept)


@pytest.mark.parametrize(
    ("limit", "kept"), [(20.0, ""), (7.6, "a"), (3.5, "ab"), (0.5, "abcd"), (0.0, "abcde")]
)
def test_fewest_layers_within_the_limit(limit, kept):
    found, error = minimal_float_prefix(left, "abcde", limit)
    assert found == tuple(kept)
    assert error == left(kept)


def test_layers_that_others_make_needless_go_back():
    assert give_back(left, ("e", "a", "b"), 3.5) == ("a", "b")
    assert give_back(left, ("a", "b"), 3.5) == ("a", "b")


def test_layers_that_ranges_made_needless_go_back_however_many_they_are():
    layers = [f"layer{number}" for number in range(45)]
    asked = []

    def error(kept):
        asked.append(kept)
        return 0.2 if "layer0" in kept else 1.0

    assert give_back(error, layers, 1.0) == ()
    assert len(asked) == 1
    assert give_back(error, layers, 0.5) == ("layer0",)
    assert len(asked) < 12


TENSORS = [f"t{i:02d}" for i in range(12)]


def test_each_part_of_the_graph_takes_the_ranges_that_serve_it():
    better = set(TENSORS[8:])

    asked = []

    def error(wide):
        asked.append(wide)
        return 10.0 + len(set(wide) - better) - len(set(wide) & better)

    assert select_wide_ranges(error, TENSORS) == tuple(TENSORS[8:])
    assert len(asked) == 8


def test_ranges_that_make_no_clear_difference_stay_as_they_are():
    assert select_wide_ranges(lambda wide: 1.0 - 0.001 * (len(wide) == 2), TENSORS) == ()
    assert select_wide_ranges(lambda wide: 0.0, []) == ()


def histogram():
    found = TensorHistogram()
    values = np.random.default_rng(0).normal(size=200000).astype(np.float32)
    values[0] = 9.0
    found.add(values)
    return found


def test_the_more_cutting_off_counts_the_wider_the_range():
    highs = [search_mse_range(histogram(), identity, clipping).high for clipping in (1.0, 8.0, 1e6)]
    assert highs[0] < highs[1] <= highs[2] <= 9.0
    assert highs[2] > 8.9


def test_errors_of_what_is_cut_off_are_counted_as_often_as_said():
    seen = TensorHistogram()
    seen.add(np.array([-3.0, 0.0, 0.5, 1.0, 4.0], np.float32))
    errors = CodeErrors(seen, identity)
    # Codes 0, 1, 2: cut off are 3 below and 2 above; 0.5 is off by a half.
    once, twice = (
        errors.squared(np.array([1.0]), np.array([0.0]), 3, clipping)[0] for clipping in (1.0, 2.0)
    )
    assert once == pytest.approx(9.0 + 4.0 + 0.25, abs=0.02)
    assert twice - once == pytest.approx(13.0, abs=0.02)
