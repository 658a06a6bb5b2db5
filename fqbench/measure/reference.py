"""Fixed kernels, timed along with the cells: what the machine can do, and how noisy it was.

A float32 and an int8 matrix product in ONNX Runtime, as large as a block of a convolution that
its caches hold, and a copy in memory that they do not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fqbench.measure import stats
from fqbench.measure.latency import Call
from fqbench.measure.stats import Interval, Launches
from fqbench.precisions import find_precision
from fqbench.quantize.grids import SAFE

if TYPE_CHECKING:
    from fqbench.machine import SpeedFacts

SIDE = 512
"""Rows and columns of each factor: the smallest whose speed is within some percent of the peak."""

MULTIPLY_ADDS = SIDE**3
COPIED_BYTES = 64 << 20

FLOAT32, INT8, COPY = "float32", "int8", "copy"
KERNELS = (FLOAT32, INT8, COPY)

BLOCK = 0.005
"""Seconds: enough for a kernel whose every run takes the same, and little next to a model."""


def kernel_of(precision: str) -> str | None:
    """The kernel that does what a cell of ``precision`` does most.

    None where none does, or no package that is here has that precision.
    """
    known = find_precision(precision)
    return None if known is None else known.kernel


@dataclass(frozen=True)
class Speed:
    """What the machine did while cells were timed.

    Multiply-adds in 10^9 per second, bytes copied in 10^9 per second. ``spread``: by what part the
    float32 product took longer in the slowest twentieth of its blocks than in the fastest.
    """

    float32: float
    int8: float
    copy: float
    spread: float

    def to_json(self) -> SpeedFacts:
        """As results hold it."""
        return {
            "float32": self.float32,
            "int8": self.int8,
            "copy": self.copy,
            "spread": self.spread,
        }


def speed(recorded: Sequence[Mapping[str, Launches]]) -> Speed | None:
    """The machine's speed over all that was ``recorded`` of the kernels; None without any."""
    blocks = {
        kernel: [
            median(block)
            for times in recorded
            for launch in times.get(kernel, ())
            for block in launch
        ]
        for kernel in KERNELS
    }
    if not all(blocks.values()):
        return None
    fast, slow = np.percentile(blocks[FLOAT32], (5, 95))
    return Speed(
        MULTIPLY_ADDS / median(blocks[FLOAT32]) / 1e9,
        MULTIPLY_ADDS / median(blocks[INT8]) / 1e9,
        COPIED_BYTES / median(blocks[COPY]) / 1e9,
        float(slow / fast - 1),
    )


def roofline(
    multiply_adds: int, times: Launches, recorded: Mapping[str, Launches], kernel: str | None
) -> Interval | None:
    """The share (0 to 1) of the peak, as ``kernel`` shows it, that a model reaches.

    That is its multiply-adds in the time of an inference over the kernel's in the same rounds
    (Williams, Waterman, Patterson, "Roofline", CACM 52, 2009; the flat part of the roof). A little
    more than 1 is possible: algorithms for convolutions may save multiplications. None where the
    kernel was not timed, there is none, or the model multiplies nothing.
    """
    if kernel is None or kernel not in recorded or multiply_adds == 0:
        return None
    part = multiply_adds / MULTIPLY_ADDS
    times_of_kernel = stats.ratio(recorded[kernel], times)
    return Interval(
        *(part * end for end in (times_of_kernel.value, times_of_kernel.low, times_of_kernel.high))
    )


def kernels(threads: int) -> Mapping[str, Call]:
    """The kernels by name, each ready to run on ``threads`` threads. Imports ONNX Runtime."""
    rng = np.random.default_rng(0)
    source = np.zeros(COPIED_BYTES, np.uint8)
    target = np.zeros_like(source)
    floats = [rng.standard_normal((SIDE, SIDE)).astype(np.float32) for _ in range(2)]
    codes, weights = int8_factors(rng)
    return {
        FLOAT32: _product("MatMul", floats[0], floats[1], threads),
        INT8: _product("MatMulInteger", codes, weights, threads),
        COPY: lambda: np.copyto(target, source),
    }


def int8_factors(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Codes and weights that are multiplied: such as saturate on no CPU, so that all do the same.

    They take the same time as any others.
    """
    codes = rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    most = SAFE["narrow"].limit
    return codes, rng.integers(-most, most + 1, (SIDE, SIDE)).astype(np.int8)


def _product(operator: str, left: Any, right: Any, threads: int) -> Call:
    """A model that multiplies its input with a fixed matrix, as a layer does."""
    import onnx
    from onnx import TensorProto, helper

    from fqbench.graph.executor import open_session, session_options

    kind = helper.np_dtype_to_tensor_dtype(left.dtype)
    result = TensorProto.FLOAT if kind == TensorProto.FLOAT else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kind, [SIDE, SIDE])],
        [helper.make_tensor_value_info("y", result, [SIDE, SIDE])],
        [onnx.numpy_helper.from_array(right, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = open_session(model.SerializeToString(), session_options(threads))
    feed = {"x": left}
    return lambda: session.run(None, feed)
