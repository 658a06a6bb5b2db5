"""Models of one operator each, with shapes and attributes drawn from a seed: as many as are wanted.

What ONNX's own tests try is what somebody thought of. These are drawn from what the operator's
definition allows and a vision model may hold. Each has a name that makes it again, in any process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from zlib import crc32

import numpy as np
import onnx
from numpy.random import Generator
from onnx import TensorProto, helper, numpy_helper

from tools.node_tests import draws, operators
from tools.node_tests.cases import Case
from tools.node_tests.draws import Drawn

DRAWN = "drawn "
"""What their names begin with."""

EACH = 12
"""Models of each operator."""

OPSET, IR_VERSION = 17, 8

Draw = Callable[[Generator, str], Drawn]

POSITIVE = frozenset({"Log", "Pow", "Reciprocal", "Sqrt"})
"""Operators that are given numbers above 0."""

REDUCTIONS = ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

UNARY = (
    *("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Log", "Neg", "Reciprocal"),
    *("Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh"),
)

DRAWING: Mapping[str, Draw] = MappingProxyType(
    {
        "Conv": operators.conv,
        "ConvTranspose": operators.conv_transpose,
        **dict.fromkeys(("AveragePool", "MaxPool"), operators.pool),
        **dict.fromkeys(
            ("GlobalAveragePool", "GlobalMaxPool"), lambda r, k: Drawn(k, draws.image(r))
        ),
        "Resize": operators.resize,
        "Pad": operators.pad,
        "Slice": operators.slicing,
        "Transpose": operators.transpose,
        "Reshape": operators.reshape,
        "Flatten": operators.flatten,
        "Squeeze": operators.squeeze,
        "Unsqueeze": operators.unsqueeze,
        "Expand": operators.expand,
        "Tile": operators.tile,
        "Concat": operators.concat,
        "Split": operators.split,
        "Gather": operators.gather,
        "GatherElements": operators.gather_elements,
        **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), operators.blocks),
        **dict.fromkeys(("Softmax", "LogSoftmax"), operators.along),
        **dict.fromkeys((f"Reduce{what}" for what in REDUCTIONS), operators.reduce),
        **dict.fromkeys(("ArgMax", "ArgMin"), operators.best),
        "TopK": operators.topk,
        "CumSum": operators.cumsum,
        **dict.fromkeys(("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"), operators.binary),
        "PRelu": operators.prelu,
        "Clip": operators.clip,
        **dict.fromkeys(UNARY, operators.unary),
        **dict.fromkeys(
            ("Celu", "Elu", "HardSigmoid", "LeakyRelu", "ThresholdedRelu"), operators.by_alpha
        ),
        "MatMul": operators.matmul,
        "Gemm": operators.gemm,
        "LayerNormalization": operators.layer_norm,
        **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), operators.by_channel),
        "LRN": operators.lrn,
    }
)
"""How models of each operator are drawn."""


def generated(each: int = EACH) -> Iterator[Case]:
    """``each`` models of every operator. Their truth is what ONNX Runtime computes."""
    for kind, draw in DRAWING.items():
        for number in range(each):
            random = np.random.default_rng([crc32(kind.encode()), number])
            drawn = draw(random, kind)
            feed = random.normal(0, 2, drawn.shape).astype(np.float32)
            if kind in POSITIVE:
                feed = np.abs(feed) + np.float32(0.01)
            yield Case(f"{DRAWN}{kind} {number}", _model(drawn), [feed], [])


def _model(drawn: Drawn) -> onnx.ModelProto:
    named = {f"k{i}": np.asarray(v) for i, v in enumerate(drawn.constants) if v is not None}
    behind = ["" if v is None else f"k{i}" for i, v in enumerate(drawn.constants)]
    inputs = [*behind, "x"] if drawn.first else ["x", *behind]
    outputs = [f"y{number}" for number in range(drawn.outputs)]
    node = helper.make_node(drawn.kind, inputs, outputs, "node", **drawn.attributes)
    graph = helper.make_graph(
        [node],
        "generated",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, drawn.shape)],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in named.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    return onnx.shape_inference.infer_shapes(model)
