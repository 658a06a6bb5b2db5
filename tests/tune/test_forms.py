"""Which form of a graph is chosen for its speed."""

from contextlib import contextmanager
from dataclasses import replace

import onnx
import pytest

from fqbench.backends.variants import TimedVariants
from fqbench.graph.graph import Graph
from fqbench.isolate.parent import _run, _Watch
from fqbench.tune import stopwatch
from fqbench.tune.choose import TuningTarget, _Search
from fqbench.tune.forms import candidate_forms, fastest_form
from fqbench.tune.search import tried_alone
from fqbench.tune.setting_errors import SettingErrors
from tests.support.onnx_graphs import Net, record
from tests.support.paddle import needs_paddle


@pytest.mark.parametrize(
    ("depthwise", "chosen"),
    [
        ([9.7] * 8, "depthwise layers in float"),
        ([9.9] * 8, "as quantized"),
        ([10.3] * 8, "as quantized"),
        ([9.5] * 7 + [40.0], "depthwise layers in float"),
        ([5.0] * 5 + [10.1] * 3, "as quantized"),
    ],
)
def test_other_form_must_be_faster_in_most_rounds(depthwise, chosen):
    assert (
        fastest_form({"as quantized": [10.0] * 8, "depthwise layers in float": depthwise}) == chosen
    )


def test_forms_differ_in_their_layers():
    """Without times of layers only depthwise ones are tried."""
    net = Net(1)
    model = net.model(net.conv(net.conv("x", 6, groups=3), 4))
    first, second = (node.name for node in Graph(model).convolutions())
    assert candidate_forms(Graph(model), ({}, {})) == {"as quantized": set()}
    net = Net(1)
    model = net.model(net.conv(net.conv("x", 3, groups=3), 4))
    alone = {"as quantized": set(), "depthwise layers in float": {first}}
    assert candidate_forms(Graph(model), ({}, {})) == alone
    slower = ({first: 1.0, second: 1.0}, {first: 0.9, second: 1.1})
    assert candidate_forms(Graph(model), slower) == {
        **alone,
        "layers with slower integer kernels in float": {second},
        "both of these in float": {first, second},
    }


@pytest.mark.slow
@needs_paddle
def test_forms_are_timed_on_paddle(tmp_path):
    net = Net(2, (1, 8, 12, 12))
    model = net.model(net.conv(net.node("Relu", net.conv("x", 8, groups=8)), 8))
    onnx.save(model, str(tmp_path / "model.onnx"))
    record(model, net.image()).write(tmp_path / "record.json")
    found = _run(
        "tests.support.paddle_functions:time_forms",
        {"folder": str(tmp_path), "shape": list(net.shape)},
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )
    assert set(found) == {"FP32", "as quantized", "depthwise layers in float"}
    assert all(0.0 < milliseconds < 1000.0 for milliseconds in found.values())


@TimedVariants.register
class Timed:
    """Variants that note when they are timed: a stand-in for both variants and estimator."""

    names = ("y",)
    unsuited = {}  # noqa: RUF012
    products = frozenset()

    def __init__(self, trace):
        self.trace = trace

    def runs(self, names):
        return True

    def calls(self, settings, feed, threads):
        self.trace.append("made ready")
        return dict.fromkeys([*settings, "FP32"])

    def layer_times(self, setting, feed, threads):
        self.trace.append("layers timed")
        return {}, {}


def test_only_what_is_timed_is_alone_on_the_machine(monkeypatch):
    trace = []

    def time_rounds(calls, threads):
        trace.append("forms timed")
        return {name: [1.0] * 8 for name in calls}

    @contextmanager
    def alone():
        trace.append("alone")
        yield ()
        trace.append("not alone")

    monkeypatch.setattr(stopwatch, "time_rounds", time_rounds)
    net = Net(1)
    model = net.model(net.conv(net.conv("x", 6, groups=3), 4))
    timed, target = Timed(trace), TuningTarget(limit=None, threads=1)
    quantization = record(model, net.image())
    search = _Search(
        model, quantization, [None], target, lambda *_: None, SettingErrors(timed, timed), alone
    )
    assert search._choose_timed_form() == search.setting
    assert search.slowdown == 1.0
    assert trace == [
        *("alone", "layers timed", "not alone"),
        "made ready",
        *("alone", "forms timed", "not alone"),
    ]


class Costing(Timed):
    """Its error is ``in_float`` with any layer in float, which is also faster; 0.01 without."""

    def __init__(self, in_float):
        super().__init__([])
        self.in_float = in_float

    def executable(self, setting, names):
        return setting

    def error(self, setting, images=None):
        return self.in_float if setting.float_layers else 0.01


@pytest.mark.parametrize(
    ("error", "limit", "taken"), [(0.02, 0.03, 1), (0.04, 0.03, 0), (9, None, 1)]
)
def test_a_faster_form_is_left_out_where_it_costs_too_much(monkeypatch, error, limit, taken):
    def time_rounds(calls, threads):
        return {name: [0.5 if "float" in name else 1.0] * 8 for name in calls}

    monkeypatch.setattr(stopwatch, "time_rounds", time_rounds)
    net = Net(1)
    model = net.model(net.conv(net.conv("x", 3, groups=3), 4))
    made, target = Costing(error), TuningTarget(limit=limit, threads=1)
    quantization = record(model, net.image())
    search = _Search(
        model, quantization, [None], target, lambda *_: None, SettingErrors(made, made)
    )
    assert len(search._choose_timed_form().float_layers) == taken
    assert search.slowdown == (0.5 if taken else 1.0)


class Multiplying:
    """Variants, and an estimator, of a network with a product whose error is ``with_products``."""

    names = ("y",)
    unsuited = {}  # noqa: RUF012
    products = frozenset({"scores"})

    def __init__(self, with_products):
        self.with_products = with_products

    def runs(self, names):
        return True

    def executable(self, setting, names):
        return setting

    def error(self, setting, images=None):
        return self.with_products if setting.products else 0.01


@pytest.mark.parametrize(
    ("error", "limit", "saturates", "tried"),
    [
        (0.02, 0.03, False, True),
        (0.02, None, False, True),
        (0.04, 0.03, False, False),
        (0.009, 0.005, False, True),  # no worse than without
        (0.02, 0.03, True, False),
    ],
)
def test_products_multiply_integers_where_the_error_allows_it(error, limit, saturates, tried):
    net = Net(1)
    model, made = net.model(net.conv("x", 4)), Multiplying(error)
    target = TuningTarget(limit=limit, threads=1, saturates=saturates)
    quantization = record(model, net.image())
    search = _Search(
        model, quantization, [None], target, lambda *_: None, SettingErrors(made, made)
    )
    found = search._with_products()
    assert [set(setting.products) for setting in found.values()] == [{"scores"}] * tried


class Ranged:
    """Variants, and an estimator, of layers that cost more with some ranges than with others.

    In float beside each other ``a`` and ``b`` want narrow ranges; all layers want wide ones.
    """

    names = ("y",)
    unsuited = {}  # noqa: RUF012

    def __init__(self, all_wide):
        self.all_wide = all_wide

    def runs(self, names):
        return True

    def executable(self, setting, names):
        return setting

    def error(self, setting, images=None):
        if setting.float_layers:
            return 0.02 if setting.wide else 0.01
        return self.all_wide if len(setting.wide) == 2 else 1.0


@pytest.mark.parametrize(("all_wide", "left"), [(0.02, ()), (0.04, ("n_conv0",))])
def test_all_layers_get_ranges_of_their_own_before_some_stay_in_float(all_wide, left):
    net = Net(1)
    model, made = net.model(net.conv(net.conv("x", 4), 4)), Ranged(all_wide)
    ranges = record(model, net.image())
    wide = {
        name: replace(ends, high=2 * ends.high)
        for name, ends in ranges.ranges.items()
        if name in ("x", "conv0")
    }
    target, quantization = TuningTarget(limit=0.03, threads=None), replace(ranges, wide=wide)
    search = _Search(
        model, quantization, [None], target, lambda *_: None, SettingErrors(made, made)
    )
    search.setting = replace(search.setting, float_layers=frozenset({"n_conv0"}))
    assert search._give_back(("n_conv0",), 0.03) == left
    assert search.setting.wide == (frozenset() if left else {"x", "conv0"})


@pytest.mark.parametrize(
    ("layers", "images", "pixels", "found"),
    [
        (100, 8, 640 * 640, (12, 4)),  # as many as ever
        (50, 64, 224 * 224, (50, 7)),  # all layers, more images
        (200, 64, 224 * 224, (97, 4)),
        (47, 256, 48 * 320, (47, 27)),
        (5, 64, 28 * 28, (5, 64)),  # no more images than there are
        (5, 8, 4000 * 4000, (5, 4)),
    ],
)
def test_small_images_leave_time_to_try_more(layers, images, pixels, found):
    assert tried_alone(layers, images, pixels) == found
