"""Layers traded for speed: their order and the points, by literal numbers; and by real runtimes."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fqbench.backends.variants import FP32
from fqbench.graph.graph import Graph
from fqbench.quantize.calibrate import calibrate
from fqbench.tune import stopwatch
from fqbench.tune.choice import ACCURACY, Choice
from fqbench.tune.choose import TuningTarget, choose
from fqbench.tune.trade import Quantized, trade
from fqbench.tune.tradeoff import (
    FRACTIONS,
    LayerTrade,
    Pair,
    Tradeoff,
    Unit,
    cheapest_first,
    errors_of_all,
    following,
    prefixes,
    undominated,
    units,
)
from tests.support.onnx_graphs import Net

A, B, C = (
    LayerTrade("a", 0.5, measured=True, saved_ms=1.0),
    LayerTrade("b", 0.3, measured=True, saved_ms=0.1),
    LayerTrade("c", 0.2, measured=False, saved_ms=2.0),
)


def test_error_of_what_was_not_measured_is_scaled_as_the_median_layer():
    own = {"a": 0.1, "b": 0.2, "c": 0.4}
    assert errors_of_all(own, {"a": 0.05, "b": 0.1}) == {
        "a": 0.05,
        "b": 0.1,
        "c": pytest.approx(0.2),
    }
    assert errors_of_all(own, {}) == own
    assert errors_of_all({"a": 0.0}, {"a": 0.0}) == {"a": 0.0}


def test_most_error_less_for_each_millisecond_goes_to_float_first():
    order = cheapest_first(units([A, B, C]))
    assert [unit.layers for unit in order] == [("b",), ("a",), ("c",)]


def test_what_saves_nothing_goes_first_whatever_it_costs():
    slower = LayerTrade("d", 1e-3, measured=True, saved_ms=-0.5)
    assert cheapest_first(units([A, slower]))[0] == Unit(("d",), 1e-3, 0.001)


def test_where_no_time_is_known_layers_save_as_the_median_one():
    assert units([A, replace(B, saved_ms=None), C])[1].saved_ms == 2.0
    assert [unit.saved_ms for unit in units([replace(A, saved_ms=None)])] == [1.0]


def test_pairs_that_interact_go_together():
    apart = Pair("a", "b", 0.75, 0.8, 1.2, 1.1)
    together = Pair("b", "c", 0.9, 0.5, 0.4, 2.1)
    assert not apart.interacts
    assert together.interacts
    assert units([A, B, C], [apart, together]) == [
        Unit(("a",), 0.5, 1.0),
        Unit(("b", "c"), 0.9, 0.4),
    ]
    # A layer is in one pair only: in the one that interacts most.
    more = Pair("a", "b", 0.1, 0.8, None, None)
    assert units([A, B, C], [together, more])[0] == Unit(("a", "b"), 0.1, 1.1)


def test_layers_that_follow_each_other():
    net = Net(3)
    first = net.conv("x", 4)
    middle = net.conv(net.node("Relu", first), 4)
    model = net.model(net.node("Add", middle, net.conv(first, 4)))
    layers = [node.name for node in Graph(model).layers()]
    assert set(following(Graph(model))) == {(layers[0], layers[1]), (layers[0], layers[2])}


COSTS = {"a": 8.0, "b": 4.0, "c": 2.0, "d": 1.0, "e": 0.5, "f": 0.25}
ORDER = [Unit((name,), cost, 1.0) for name, cost in COSTS.items()]


def left(kept):
    return sum(cost for name, cost in COSTS.items() if name not in kept)


def test_points_halve_the_error():
    # Of 15.75: 7.875, 3.94, 1.97, 0.98, 0.49.
    assert prefixes(ORDER, left) == [
        (),
        tuple("ab")[:1],
        tuple("ab"),
        tuple("abc"),
        tuple("abcd"),
        tuple("abcde"),
    ]


def test_a_pair_is_never_torn_apart():
    order = [Unit(("a", "f"), 8.25, 1.0), *ORDER[1:5]]
    assert all(("a" in kept) == ("f" in kept) for kept in prefixes(order, left))


def test_all_layers_are_no_point():
    assert prefixes(ORDER[:1], lambda kept: 1.0 - len(kept)) == [()]


@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=12))
def test_each_point_has_the_next_fraction_of_the_error_at_most(costs):
    order = [Unit((str(n),), cost, 1.0) for n, cost in enumerate(sorted(costs, reverse=True))]

    def error(kept):
        return sum(unit.error for unit in order if unit.layers[0] not in kept)

    found = prefixes(order, error)
    assert found[0] == ()
    for part in FRACTIONS:
        fits = [kept for kept in found if error(kept) <= part * error(())]
        # Else only all layers would do.
        assert fits or error([unit.layers[0] for unit in order[:-1]]) > part * error(())
    assert all(set(one) < set(other) for one, other in combinations(found, 2))


def point(slowdown, error):
    return Choice({}, False, (), 0.0, error, (), {}, slowdown=slowdown)


def test_what_is_dominated_is_left_out():
    base, fast, slow, worse, none = (
        point(0.5, 0.1),
        point(0.4, 0.3),
        point(0.7, 0.01),
        point(0.6, 0.2),
        point(0.99, 0.001),
    )
    assert undominated([slow, worse, fast, none], base, 0.98) == (fast, slow)
    # What is no more accurate than the choice that is there anyway, and slower.
    assert undominated([worse], base, 0.98) == ()


def test_written_and_read(tmp_path):
    chosen = replace(point(0.5, 0.1), float_layers={"a": ACCURACY}, unsigned=("b",))
    written = Tradeoff((A, C), (Pair("a", "b", 0.9, 0.5, None, 2.1),), (chosen,), 0.4)
    written.write(tmp_path / "tradeoff.json")
    assert Tradeoff.read(tmp_path / "tradeoff.json") == written


def network():
    """Layers of unlike cost: one whose channels differ by a thousand, so that it rounds badly."""
    net = Net(11, (1, 3, 24, 24))
    found = "x"
    for width in (8, 12, 8, 12, 8):
        found = net.node("Relu", net.conv(found, width))
    net.weights["w2"][:4] *= 1e-3
    pooled = net.node("Flatten", net.node("GlobalAveragePool", found))
    return net.model(net.gemm(pooled, 5))


def times(calls, threads):
    """Forms take the longer the later they come: INT8 first, and the most layers in float last."""
    forms = [name for name in calls if name != FP32]
    return {FP32: (10.0,) * 6, **{name: (4.0 + n / 2,) * 6 for n, name in enumerate(forms)}}


@pytest.fixture(scope="module")
def traded():
    model = network()
    random = np.random.default_rng(5)
    feeds = [[random.normal(size=(1, 3, 24, 24)).astype(np.float32)] for _ in range(6)]
    record = calibrate(model, feeds, "search")
    chosen = choose(
        "onnxruntime", model, record, feeds, TuningTarget(None, 1, fastest=False), lambda *_: None
    )
    quantized = Quantized("onnxruntime", model, record, chosen, anywhere=False, threads=1)
    with pytest.MonkeyPatch.context() as patched:
        # What is timed is the fewer microseconds the noisier.
        patched.setattr(stopwatch, "time_rounds", times)
        return model, chosen, trade(quantized, feeds, lambda *_: None)


@pytest.mark.slow
class TestByARealRuntime:
    def test_every_layer_has_its_cost_and_its_time(self, traded):
        model, chosen, found = traded
        layers = {node.name for node in Graph(model).layers()} - chosen.float_layers.keys()
        assert {each.name for each in found.layers} == layers
        assert all(each.error >= 0 and each.measured for each in found.layers)
        assert any(each.saved_ms is not None for each in found.layers)

    def test_neighbours_are_measured_together(self, traded):
        model, _, found = traded
        assert found.pairs
        for pair in found.pairs:
            assert (pair.first, pair.second) in following(Graph(model))
            assert pair.error > 0
            assert pair.saved_ms > 0

    def test_points_are_more_accurate_the_slower_they_are(self, traded):
        _, chosen, found = traded
        assert len(found.points) >= 2
        assert found.base_slowdown == pytest.approx(0.45)
        for one, other in combinations(found.points, 2):
            assert one.slowdown < other.slowdown
            assert one.error > other.error
            assert set(one.float_layers) < set(other.float_layers)
        assert all(each.error < chosen.error for each in found.points)
        assert found.points[-1].error < chosen.error / 4

    def test_what_is_chosen_first_is_what_costs_most_for_its_time(self, traded):
        _, _, found = traded
        first = found.points[0].float_layers
        assert {layer.name for layer in found.layers[: len(first)]} == set(first)
