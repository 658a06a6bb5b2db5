"""8-bit products added in 16 bits: the arithmetic, the real kernels, what is done about it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fqbench.backends.onnxruntime.lower import lower
from fqbench.backends.variants import variants
from fqbench.graph.executor import execute
from fqbench.quantize.calibrate import calibrate
from fqbench.quantize.grids import SAFE
from fqbench.quantize.setting import Setting
from fqbench.report.notes import notes
from fqbench.results import Results
from fqbench.saturation.counting import saturated_sums
from fqbench.saturation.layers import integer_layers
from fqbench.saturation.pairs import accumulate, count_saturated, may_saturate
from fqbench.tune.choose import TuningTarget, _Search
from fqbench.tune.setting_errors import SettingErrors
from tests.support.onnx_graphs import bright
from tests.support.paddle import PADDLE
from tests.support.saturating import ask


def codes(*values):
    return np.array([values], np.uint8)


def weights(*values):
    return np.array([values], np.int8)


@pytest.mark.parametrize(
    ("read", "weight", "wanted"),
    [
        (codes(255, 255), weights(127, 127), 32767),
        (codes(255, 255), weights(-127, -127), -32768),
        (codes(255, 255), weights(127, -127), 0),
        (codes(255, 255), weights(64, 64), 32640),
        (codes(255, 255, 255), weights(127, 127, 127), 32767 + 32385),
        (codes(255, 0, 255, 255), weights(127, 127, 127, 127), 32385 + 32767),
        (codes(128, 128), weights(127, 127), 32512),
    ],
)
def test_sums_of_two_products_end_at_16_bits(read, weight, wanted):
    assert accumulate(read, weight).tolist() == [[wanted]]


@pytest.mark.parametrize(
    ("weight", "wanted"),
    [
        (weights(127, 1), [[False]]),  # 255 * 128 = 32640
        (weights(127, 2), [[True]]),
        (weights(-127, -1), [[False]]),
        (weights(-127, -2), [[True]]),  # -32895
        (weights(127, -127), [[False]]),
        (weights(0, 127, 127, 0), [[False, False]]),
        (weights(127, 127, 127), [[True, False]]),
    ],
)
def test_weights_tell_whether_any_activation_saturates(weight, wanted):
    assert may_saturate(weight).tolist() == wanted


@given(st.data(), st.integers(1, 9), st.integers(1, 3))
def test_counted_is_what_differs_from_exact_sums(data, columns, outputs):
    read = data.draw(arrays(np.uint8, (4, columns)))
    weight = data.draw(arrays(np.int8, (outputs, columns), elements=st.integers(-127, 127)))
    even = np.pad(read, ((0, 0), (0, columns % 2))).astype(int)
    other = np.pad(weight, ((0, 0), (0, columns % 2))).astype(int)
    sums = even[:, None, ::2] * other[None, :, ::2] + even[:, None, 1::2] * other[None, :, 1::2]
    assert count_saturated(read, weight) == ((sums > 32767) | (sums < -32768)).sum()


@given(arrays(np.uint8, (3, 8)), arrays(np.int8, (2, 8), elements=st.integers(-63, 63)))
def test_seven_bit_weights_are_exact(read, weight):
    exact = read.astype(int) @ weight.astype(int).T
    assert accumulate(read, weight).tolist() == exact.tolist()
    assert not may_saturate(weight).any()


LAYERS = [
    {"kind": "Conv", "inputs": 32, "outputs": 16, "kernel": 1, "groups": 1, "stride": 1, "pad": 0},
    {"kind": "Conv", "inputs": 16, "outputs": 12, "kernel": 3, "groups": 1, "stride": 1, "pad": 1},
    {"kind": "Conv", "inputs": 12, "outputs": 24, "kernel": 3, "groups": 1, "stride": 2, "pad": 1},
    {"kind": "Conv", "inputs": 3, "outputs": 16, "kernel": 3, "groups": 1, "stride": 2, "pad": 1},
    {"kind": "Conv", "inputs": 5, "outputs": 8, "kernel": 3, "groups": 1, "stride": 1, "pad": 0},
    {"kind": "Conv", "inputs": 32, "outputs": 16, "kernel": 3, "groups": 4, "stride": 1, "pad": 1},
    {"kind": "Conv", "inputs": 18, "outputs": 16, "kernel": 3, "groups": 2, "stride": 1, "pad": 1},
    {"kind": "Gemm", "inputs": 40, "outputs": 24, "kernel": 1, "groups": 1, "stride": 1, "pad": 0},
    {"kind": "Gemm", "inputs": 33, "outputs": 7, "kernel": 1, "groups": 1, "stride": 1, "pad": 0},
]


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: "-".join(map(str, layer.values())))
def test_emulation_is_the_real_kernel_bit_for_bit(layer):
    emulated, exact = ask("compare", layer)
    assert emulated == 1.0
    assert exact < 0.9


@pytest.mark.parametrize("kernel", [3, 5])
def test_depthwise_kernels_do_not_saturate(kernel):
    layer = {"kind": "Conv", "inputs": 32, "outputs": 32, "groups": 32, "stride": 1}
    _, exact = ask("compare", {**layer, "kernel": kernel, "pad": 1})
    assert exact == 1.0


@pytest.fixture(scope="module")
def case():
    net, model = bright()
    feeds = [[np.abs(net.image())] for _ in range(3)]
    return model, calibrate(model, feeds, "abs_max"), feeds


@pytest.mark.parametrize("name", SAFE)
def test_codes_lie_on_their_grid(case, name):
    _, record, _ = case
    grid = SAFE[name]
    found = record.with_codes(dict.fromkeys(record.weights, name))
    for layer, weight in record.weights.items():
        codes = np.frombuffer(found.rounded[layer].codes, np.int8).astype(int).reshape(16, 16, 9)
        amax = np.array(found.weight_amax[weight])
        np.testing.assert_allclose(amax * grid.limit / 127, record.weight_amax[weight])
        assert (np.abs(codes).max(axis=(1, 2)) == grid.limit).all()
        assert set(np.abs(codes).ravel() % grid.step) <= {0, grid.limit % grid.step}


def outputs(graph, feeds, *, integers):
    names = [value.name for value in graph.graph.output]
    run = execute(graph, names, fuse_pairs=integers).run
    return np.concatenate([run(feed)[0] for feed in feeds])


@pytest.mark.parametrize("form", ["safe", "unsigned"])
def test_other_weights_cannot_saturate_and_compute_the_same(case, tmp_path, form):
    model, record, feeds = case
    made = variants("onnxruntime", model, record, tmp_path)
    anywhere, *here = made.unsafe(Setting(), feeds)
    assert anywhere == frozenset(record.weights)
    assert all(fewer < anywhere for fewer in here)
    setting = Setting(safe=anywhere, unsigned=form == "unsigned")
    graph = made.emulated(setting)
    assert not any(layer.may_saturate for layer in integer_layers(graph))
    assert sum(saturated_sums(graph, feeds).values()) == 0
    wanted = outputs(model, feeds, integers=False)
    found = outputs(graph, feeds, integers=True)
    assert np.abs(found - wanted).max() < 0.03 * wanted.max()


def test_saturating_layers_are_counted_on_images(case):
    """The images are bright in every channel: all of the three layers saturate."""
    model, record, feeds = case
    lowered = lower(model, record)
    counts = saturated_sums(lowered, feeds)
    assert len(counts) == 3
    assert min(counts.values()) > 0
    dark = [[0.0 * feed[0]] for feed in feeds]
    assert saturated_sums(lowered, dark)[next(iter(counts))] == 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", PADDLE])
def test_choice_takes_what_does_not_saturate_by_the_real_kernels(backend):
    found = ask("choose_weights", {"backend": backend, "limit": None, "here": True})
    assert found["safe"]
    assert 10 * found["chosen"] < found["full"]
    assert found["error"] == pytest.approx(found["chosen"], rel=1e-6)
    assert 10 * found["weights"]["7-bit codes"] < found["weights"]["8-bit codes"]


class Table:
    """Variants whose errors are known: a stand-in for both variants and judge."""

    names = ("y",)
    safe_forms = {"n_conv0": "narrow"}  # noqa: RUF012
    unsuited = {}  # noqa: RUF012
    unsigned_weights = True

    def __init__(self, full, safe, unsigned):
        self.known = {(False, False): full, (True, False): safe, (True, True): unsigned}

    def executable(self, setting, names):
        return setting

    def runs(self, names):
        return True

    def unsafe(self, setting, feeds):
        return [frozenset(self.safe_forms)]

    def error(self, setting, images=None):
        return self.known[bool(setting.safe), setting.unsigned]


@pytest.mark.parametrize(
    ("errors", "wanted"),
    [
        ((0.3, 0.01, 0.005), (True, False)),  # 7-bit codes are within the limit
        ((0.3, 0.05, 0.01), (True, True)),
        ((0.3, 0.05, 0.03), (True, False)),  # neither is: the faster one, with layers in float
    ],
)
def test_uint8_weights_are_taken_where_others_cost_too_much(case, errors, wanted):
    model, record, feeds = case
    table = Table(*errors)
    target = TuningTarget(limit=0.02, threads=None, saturates=True)
    search = _Search(model, record, feeds, target, lambda *_: None, SettingErrors(table, table))
    search._choose_weights()
    assert (bool(search.setting.safe), search.setting.unsigned) == wanted
    assert search.weights["8-bit codes"] == errors[0]


@pytest.mark.slow
def test_weights_for_any_cpu_cost_next_to_nothing_that_is_said():
    found = ask("choose_weights", {"backend": "onnxruntime", "limit": None, "here": False})
    assert found["safe"]
    assert found["left_unsafe"] == []
    # Of a CPU that does not saturate: what seven bits cost there.
    assert found["weights"]["8-bit codes"] <= found["weights"]["7-bit codes"] < 0.01


def test_report_says_by_what_instruction_sets_were_hidden():
    machine = {"cpu": {"model": "a CPU", "isa": ["avx2"], "cores": 2}, "threads": 1, "versions": {}}
    plain, masked = (
        " ".join(notes(Results.now({**machine, **hidden}, ())))
        for hidden in ({}, {"hidden": {"CPU_MASK": "0 0 0 0 0"}})
    )
    assert "hidden" not in plain
    assert "(avx2), some of them hidden from runtimes by CPU_MASK, 2 cores" in masked


def test_coarse_activations_end_at_code_127(case):
    _, record, _ = case
    layer = next(iter(record.weights))
    found = record.with_codes({layer: "coarse"})
    read = record.reads[layer]
    assert found.ranges[read].amax / 255 == pytest.approx(record.ranges[read].amax / 127)
    assert {n: r for n, r in found.ranges.items() if n != read} == {
        n: r for n, r in record.ranges.items() if n != read
    }
    assert found.weight_amax == record.weight_amax


def test_layers_in_float_keep_what_they_read_and_multiply(case):
    _, record, _ = case
    first, *others = record.weights
    forms = dict.fromkeys(record.weights, "coarse")
    setting = Setting(float_layers=frozenset({first}), safe=frozenset(record.weights))
    assert setting.applied(record, forms) == setting.applied(
        replace(record), {name: forms[name] for name in others}
    )
    applied = setting.applied(record, forms)
    assert applied.ranges[record.reads[first]] == record.ranges[record.reads[first]]


def test_weights_without_codes_of_a_grid_get_its_nearest(case):
    """A student's, for instance: its own codes would be twice as large there."""
    _, record, _ = case
    found = replace(record, safe={}).with_codes(dict.fromkeys(record.weights, "narrow"))
    assert found.rounded == {}
    for weight, amax in record.weight_amax.items():
        np.testing.assert_allclose(np.array(found.weight_amax[weight]) * 63 / 127, amax)
