"""What the runtimes' integer kernels compute here, found out by running a small layer.

Its activations and weights are as large as they can be, so that every sum of two products
saturates where kernels add these in 16 bits. Flags of the CPU do not show it: which kernel runs is
the runtime's choice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fqbench.backends import int8_form, runtime
from fqbench.backends.lowering import Lower
from fqbench.backends.record import resolve
from fqbench.precisions.own import INT8

CHANNELS, SIDE = 16, 4
INTACT = 0.9
"""Of a saturated layer half is left; rounding changes less than a percent."""


def saturates(backend: str) -> bool:
    """Whether 8-bit products saturate in the kernels of ``backend``. It runs native code."""
    return computed_share(backend) < INTACT


def computed_share(backend: str) -> float:
    """The part of the true result that ``backend`` computes of a layer that may saturate."""
    image = np.ones((1, CHANNELS, SIDE, SIDE), np.float32)
    model, record = _bright(image)
    form = int8_form(backend)
    lower: Lower = resolve(form.lower)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lower(model, record, folder, feeds=[[image]], float_silu=False, unsigned=frozenset())
        runner = runtime(backend).prepare(
            folder, device=form.device, precision=INT8.runtime_name, threads=1
        )
        found = runner.run([image])[0]
    return float(np.mean(found)) / CHANNELS  # which every value is


def _bright(image: Any) -> tuple[onnx.ModelProto, Any]:
    """Three layers, and their quantization: the second adds up ``CHANNELS`` ones."""
    from fqbench.quantize.calibrate import calibrate

    identity = np.eye(CHANNELS, dtype=np.float32)[:, :, None, None]
    nodes = [
        *_layer("first", "x", "a", identity),
        *_layer("sum", "a", "b", np.ones_like(identity)),
        *_layer("last", "b", "y", identity),
    ]
    shape = [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        [node for node, _ in nodes],
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight for _, weight in nodes if weight is not None],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    return model, calibrate(model, [[image]], "abs_max")


def _layer(
    name: str, source: str, target: str, weight: Any
) -> Iterator[tuple[onnx.NodeProto, onnx.TensorProto | None]]:
    """A convolution of 1 x 1 and a Relu, which makes what the next one reads unsigned."""
    yield (
        helper.make_node(
            "Conv",
            [source, f"{name}_weight"],
            [f"{name}_sum"],
            name,
            kernel_shape=[1, 1],
            pads=[0, 0, 0, 0],
            strides=[1, 1],
            dilations=[1, 1],
            group=1,
        ),
        numpy_helper.from_array(weight, f"{name}_weight"),
    )
    yield helper.make_node("Relu", [f"{name}_sum"], [target], f"{name}_relu"), None
