"""Whether int8 codes keep their scale in OpenVINO's concatenations here, found out by running one.

Kernels of CPUs without AMX read uint8 codes, which OpenVINO's low-precision passes make of int8
ones. Where codes without a zero point are joined, 2026.4 loses their scale on the way: values are
rounded to whole numbers, whatever their range. Flags of the CPU do not show it: which type is read
is the runtime's choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends.openvino.runtime import compiled, set_inputs

CHANNELS, SIDE = 8, 4
UNIT = 1.0 / 64
"""The scale of all codes."""
VALUE = 26 * UNIT
"""Has a code, and rounded to whole numbers it is 0."""


@cache
def lose_scales() -> bool:
    """Whether the scale of int8 codes is lost where they are joined. It runs OpenVINO."""
    image = np.full((1, CHANNELS, SIDE, SIDE), VALUE, np.float32)
    request = compiled(_joined().SerializeToString(), 1).create_infer_request()
    set_inputs(request, [image])
    (found,) = request.infer().values()
    return bool(np.abs(found - 2 * VALUE).max() > UNIT)


def _joined() -> onnx.ModelProto:
    """Two layers that pass on what they read, and one that adds up their joined results."""
    one = np.eye(CHANNELS, dtype=np.int8)[:, :, None, None] * np.int8(64)
    values: dict[str, NDArray[np.generic]] = {
        "unit": np.asarray(np.float32(UNIT)),
        "zero": np.asarray(np.int8(0)),
        "units": np.full(CHANNELS, UNIT, np.float32),
        "zeros": np.zeros(CHANNELS, np.int8),
        "one": one,
        "both": np.concatenate([one, one], axis=1),
    }
    nodes = [*_pair("x")]
    for name in ("left", "right"):
        nodes += [*_layer("x", "one", name), *_pair(name)]
    nodes += [
        helper.make_node("Concat", ["left_rounded", "right_rounded"], ["joined_rounded"], axis=1),
        *_layer("joined", "both", "y"),
    ]
    shape = [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "joined",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _pair(name: str) -> Iterator[onnx.NodeProto]:
    parameters = ["unit", "zero"]
    yield helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_codes"])
    yield helper.make_node("DequantizeLinear", [f"{name}_codes", *parameters], [f"{name}_rounded"])


def _layer(source: str, weight: str, target: str) -> Iterator[onnx.NodeProto]:
    yield helper.make_node(
        "DequantizeLinear", [weight, "units", "zeros"], [f"{target}_weight"], axis=0
    )
    yield helper.make_node(
        "Conv", [f"{source}_rounded", f"{target}_weight"], [target], target, kernel_shape=[1, 1]
    )
