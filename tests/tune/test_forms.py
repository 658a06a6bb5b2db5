"""Which form of a graph is chosen for its speed."""

from contextlib import contextmanager

import onnx
import pytest

from fqbench.backends.variants import TimedVariants
from fqbench.graph.graph import Graph
from fqbench.isolate.parent import _run, _Watch
from fqbench.tune import choose as module
from fqbench.tune.choose import (
    TuningTarget,
    _Search,
    candidate_forms,
    fastest_form,
)
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

    monkeypatch.setattr(module, "time_rounds", time_rounds)
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
