"""Paddle Inference's record."""

from __future__ import annotations

from fqbench.backends.record import Backend, Conversion, Int8Form
from fqbench.convert.environment import PROGRAMS

CONVOLUTIONS = {"conv2d", "depthwise_conv2d", "fused_conv2d"}
"""As Paddle's passes name them; fused: with bias and activation."""
INT8_OPERATORS = {
    "int8": {*CONVOLUTIONS, "concat", "pool2d", "nearest_interp_v2"},
    "int8_file": CONVOLUTIONS,
}
"""What oneDNN may run in INT8. A file that was made elsewhere does not say which of the others are
not to: with its default set Paddle rounds what decodes boxes, scores and coordinates to one scale,
and a detector detects nothing."""

_LISTED = ", ".join(map(repr, sorted(INT8_OPERATORS["int8"])))

CONVERTERS = ("paddlepaddle",)

BACKEND = Backend(
    name="paddle",
    label="Paddle Inference",
    distributions={"paddlepaddle": ("paddlepaddle",)},
    loads=(".pdmodel", ".pdiparams"),
    environment=PROGRAMS,
    runtime="fqbench.backends.paddle.runtime:PaddleInference",
    import_runtime="fqbench.backends.paddle.runtime:import_runtime",
    # It must stay in the thread it was loaded in: elsewhere oneDNN "could not execute a primitive".
    side_by_side=False,
    bare_call="fqbench.backends.paddle.runtime:bare_call",
    throughput="fqbench.backends.paddle.throughput:ways",
    time_nodes="fqbench.backends.paddle.profile:time_nodes",
    snippet="fqbench.backends.paddle.snippet:snippet",
    conversion=Conversion(
        step="paddle_program",
        write="fqbench.convert.paddle_program:onnx_to_paddle",
        check="fqbench.backends.paddle.checking:check_program",
        open_sizes=False,
        libraries=CONVERTERS,
    ),
    engine=None,
    float16=None,
    saturates="probed",
    int8=Int8Form(
        device="cpu",
        timed=True,
        float16=False,
        files=("model.pdmodel", "model.pdiparams"),
        setting=f"config.enable_mkldnn() and config.enable_mkldnn_int8({{{_LISTED}}})",
        libraries=CONVERTERS,
        executed_by=None,
        lower="fqbench.backends.paddle.lower:lower_into",
        variants="fqbench.backends.paddle.variants:PaddleVariants",
        roundings="fqbench.backends.paddle.symmetric:roundings",
    ),
)
