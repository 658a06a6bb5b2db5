"""An INT8 form whose answers are none of its model's any more is refused."""

import numpy as np
import onnx
import pytest

from fqbench.backends.onnxruntime.lower import lower
from fqbench.errors import StepError
from fqbench.verify.conversion import graph_runner
from fqbench.verify.int8 import ALIKE, check_alike, check_int8
from tests.support.onnx_graphs import Net, record

SHAPE = (1, 3, 16, 16)


@pytest.fixture(scope="module")
def rounded():
    """A graph, its form for ONNX Runtime, and images."""
    net = Net(8, SHAPE)
    hidden = net.node("Relu", net.conv(net.node("Relu", net.conv("x", 16)), 16))
    model = net.model(net.conv(hidden, 8))
    return model, lower(model, record(model, net.image())), [[net.image()] for _ in range(3)]


def test_int8_form_passes(rounded):
    model, form, feeds = rounded
    check_int8(model, form, graph_runner(form, optimized=True), feeds)


def test_runtime_that_computes_something_else_is_refused(rounded):
    """As one that clips in the wrong scale: half of the range is lost."""
    model, form, feeds = rounded
    run = graph_runner(form, optimized=True)
    with pytest.raises(StepError, match="something else than what its scales say: output"):
        check_int8(model, form, lambda feed: [np.minimum(y, -0.5) for y in run(feed)], feeds)


def test_scales_that_leave_nothing_are_refused(rounded):
    model, form, feeds = rounded
    broken = onnx.ModelProto()
    broken.CopyFrom(form)
    for tensor in broken.graph.initializer:
        if tensor.name == "relu1__scale":
            values = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values * np.float32(1000), tensor.name))
    with pytest.raises(StepError, match="something else than the float32 model: output"):
        check_int8(model, broken, graph_runner(broken, optimized=False, pairs=False), feeds)


def test_what_is_no_number_has_nothing_in_common():
    values = [[np.arange(8.0)]]
    check_alike(["y"], values, values, ALIKE, "it")
    with pytest.raises(StepError, match=r"output 'y' agrees with it by 0\.00"):
        check_alike(["y"], values, [[np.full(8, np.nan)]], ALIKE, "it")
    with pytest.raises(StepError, match=r"output 'y' has shape \[4\] instead of \[8\]"):
        check_alike(["y"], values, [[np.zeros(4)]], ALIKE, "it")
