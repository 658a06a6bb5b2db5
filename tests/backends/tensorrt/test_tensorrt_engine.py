"""Engines of small networks, built by TensorRT for RTX; no GPU is needed for that.

The timing cache, which only TensorRT on a GPU fills, is tried with a stand-in for its config.
"""

import re

import onnx
import pytest

from fqbench.backends.tensorrt.best_effort_cache import keep
from fqbench.backends.tensorrt.engine import Sizes, _use_cache, build
from fqbench.backends.tensorrt.half import half
from fqbench.backends.tensorrt.inspect import (
    FP16,
    FP32,
    INT8,
    compiled,
    layer_types,
    layers,
)
from fqbench.backends.tensorrt.library import TENSORRT, TENSORRT_RTX
from fqbench.backends.tensorrt.lower import lower
from fqbench.backends.tensorrt.network import layer_names
from fqbench.errors import StepError
from tests.support.onnx_graphs import Net, record

rtx = pytest.mark.skipif(TENSORRT_RTX.missing() is not None, reason=str(TENSORRT_RTX.missing()))

ADA, AMPERE = (8, 9), (8, 6)
KEPT = "n_conv4"


def network():
    """Convolutions with activations, a sum and a concatenation between them."""
    net = Net()
    first = net.node("Relu", net.conv("x", 8))
    second = net.node("Relu", net.conv(first, 8))
    last = net.node("Relu", net.conv(second, 8))
    both = net.node("Add", first, last, channels=8)
    return net, net.model(net.conv(net.concat(both, first), 4))


@pytest.fixture(scope="module")
def lowered():
    net, model = network()
    return lower(model, record(model, net.image(), float_layers=[KEPT]))


def types_in(model, target=ADA):
    engine = build(TENSORRT_RTX, model.SerializeToString(), target=target)
    return layer_types(layers(TENSORRT_RTX, engine), layer_names(model.graph))


@rtx
@pytest.mark.parametrize("target", [AMPERE, ADA])
def test_float_network_multiplies_float_numbers(target):
    _, model = network()
    assert types_in(model, target) == dict.fromkeys(layer_names(model.graph), FP32)


@rtx
def test_half_network_multiplies_half_numbers():
    _, model = network()
    assert types_in(half(model)) == dict.fromkeys(layer_names(model.graph), FP16)


@rtx
@pytest.mark.parametrize("target", [AMPERE, ADA])
def test_quantized_network_multiplies_codes_but_in_layers_left_in_float(lowered, target):
    for model, other in ((lowered, FP32), (half(lowered), FP16)):
        expected = {
            node.name: INT8 if node.input[1].endswith("__weight") else other
            for node in model.graph.node
            if node.op_type == "Conv"
        }
        assert expected[KEPT] == other
        assert expected["n_conv0"] == INT8
        assert types_in(model, target) == expected


@rtx
def test_tf32_is_off_in_the_program():
    _, model = network()
    engine = build(TENSORRT_RTX, model.SerializeToString(), target=ADA)
    assert set(re.findall(rb"\n  tf32=(\d)", engine)) == {b"0"}


@rtx
def test_engine_aims_at_the_gpu_it_is_told():
    _, model = network()
    engine = build(TENSORRT_RTX, model.SerializeToString(), target=AMPERE)
    assert b"accelerators={sm86 }" in engine
    assert b"accelerators={sm89 }" not in engine


@rtx
def test_gpu_that_the_library_knows_nothing_of_is_named():
    _, model = network()
    message = r"^TensorRT for RTX [\d.]+ builds no engine for compute capability 5\.2$"
    with pytest.raises(StepError, match=message):
        build(TENSORRT_RTX, model.SerializeToString(), target=(5, 2))


@rtx
def test_builder_that_fails_is_quoted():
    net = Net()
    pooled = net.node("Flatten", net.node("GlobalAveragePool", net.conv("x", 8)))
    model = net.model(net.gemm(pooled, 4))
    with pytest.raises(StepError) as caught:
        build(TENSORRT_RTX, model.SerializeToString(), target=(7, 5))
    message = str(caught.value)
    assert re.match(r"TensorRT for RTX [\d.]+ builds no engine of the model: .{10,}", message)
    assert "it said nothing" not in message
    assert message.isprintable()
    assert len(message) < 500


@rtx
def test_free_size_needs_a_range():
    net = Net()
    model = net.model(net.conv("x", 8), free_batch=True)
    content = model.SerializeToString()
    with pytest.raises(StepError, match=r"^input 'x' of the model leaves sizes free \(-1, 3, 16, "):
        build(TENSORRT_RTX, content, target=ADA)
    sizes = {"x": Sizes(*((batch, 3, 16, 16) for batch in (1, 2, 4)))}
    assert len(compiled(build(TENSORRT_RTX, content, target=ADA, sizes=sizes))) > 0


@pytest.mark.slow
@rtx
def test_size_of_the_weights_tells_their_type(lowered):
    wide = Net()
    hidden = wide.node("Relu", wide.conv("x", 256))
    model = wide.model(wide.conv(hidden, 256))
    small = lower(model, record(model, wide.image()))
    sizes = [
        len(build(TENSORRT_RTX, each.SerializeToString(), target=ADA)) for each in (model, small)
    ]
    weights = sum(
        onnx.numpy_helper.to_array(t).size for t in model.graph.initializer if len(t.dims) == 4
    )
    assert sizes[0] > 4 * weights
    assert sizes[1] < sizes[0] - 2 * weights


def test_full_tensorrt_builds_for_no_other_gpu(monkeypatch):
    monkeypatch.setattr(type(TENSORRT), "load", lambda self: pytest.fail("needs the GPU"))
    with pytest.raises(StepError, match="on the GPU that runs them only, not for compute capab"):
        build(TENSORRT, b"", target=ADA)


class Config:
    """A stand-in for a builder's config: takes the caches it is told to take."""

    def __init__(self, fitting):
        self.fitting, self.used = fitting, None

    def create_timing_cache(self, content):
        return content if content in self.fitting or content == b"" else None

    def set_timing_cache(self, cache, ignore_mismatch):
        assert ignore_mismatch is False
        self.used = cache
        return True


def test_timing_cache_is_used_where_it_fits(tmp_path):
    path = tmp_path / "gpu" / "times.cache"
    config = Config([b"measured"])
    assert _use_cache(config, None) is None
    assert config.used is None
    assert _use_cache(config, path) == config.used == b""
    keep(path, b"measured")
    assert _use_cache(config, path) == config.used == b"measured"
    keep(path, b"of another GPU")
    assert _use_cache(config, path) == config.used == b""
