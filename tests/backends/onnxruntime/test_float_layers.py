"""Every layer that ONNX Runtime is not given in INT8 has a reason."""

from dataclasses import replace

import pytest

from fqbench.backends.onnxruntime.float_layers import ALONE, UNROUNDED
from fqbench.backends.onnxruntime.lower import lower_into
from fqbench.quantize.calibrate import NO_RANGE, calibrate
from tests.support.onnx_graphs import Net

SHAPE = (1, 4, 8, 8)


def softmax_then(size):
    """A network that ends in a convolution of what only float computes."""

    def write(net):
        return net.conv(net.node("Softmax", net.conv("x", 4), axis=1), 3, size)

    return write


def behind(size):
    def write(net):
        return net.conv(net.node("Relu", net.conv("x", 4)), 3, size)

    return write


@pytest.mark.parametrize(
    ("write", "reasons"),
    [
        (softmax_then(1), {ALONE}),
        (softmax_then(3), {UNROUNDED}),
        (behind(3), {UNROUNDED}),
        (behind(1), set()),
    ],
)
def test_last_layers(tmp_path, write, reasons):
    net = Net(0, SHAPE)
    model = net.model(write(net))
    record = calibrate(model, [[net.image()]], "abs_max", ())
    made = lower_into(model, record, tmp_path, feeds=[], float_silu=False, unsigned=frozenset())
    assert set(made.float_layers.values()) == reasons
    assert made.quantized + len(made.float_layers) == made.layers


def test_a_layer_that_the_record_keeps_in_float_has_its_reason_there(tmp_path):
    net = Net(0, SHAPE)
    first = net.conv("x", 4)
    model = net.model(net.conv(net.node("Relu", net.conv(net.node("Relu", first), 4)), 3, 1))
    record = calibrate(model, [[net.image()]], "abs_max", [f"n_{first}"])
    ranges = {name: ends for name, ends in record.ranges.items() if name != net.nodes[1].output[0]}
    record = replace(record, ranges=ranges)
    made = lower_into(model, record, tmp_path, feeds=[], float_silu=False, unsigned=frozenset())
    second, last = net.nodes[2].name, net.nodes[4].name
    assert made.float_layers == {second: NO_RANGE, last: ALONE}
    assert (made.quantized, made.layers) == (0, 3)
