"""ONNX Runtime's record."""

from __future__ import annotations

from fqbench.backends.record import Backend, Int8Form
from fqbench.environments import HERE

BACKEND = Backend(
    name="onnxruntime",
    label="ONNX Runtime",
    distributions={"onnxruntime": ("onnxruntime", "onnxruntime-gpu")},
    loads=(".onnx",),
    environment=HERE,
    runtime="fqbench.backends.onnxruntime.runtime:OnnxRuntime",
    import_runtime="fqbench.backends.onnxruntime.runtime:import_runtime",
    side_by_side=True,
    bare_call="fqbench.backends.onnxruntime.runtime:bare_call",
    throughput="fqbench.backends.onnxruntime.throughput:ways",
    time_nodes="fqbench.backends.onnxruntime.profile:time_nodes",
    snippet="fqbench.backends.onnxruntime.snippet:snippet",
    conversion=None,
    engine=None,
    float16=None,
    saturates="counted",
    int8=Int8Form(
        device="cpu",
        timed=True,
        float16=False,
        files=("model.onnx",),
        setting=None,
        libraries=("onnx", "onnxruntime"),
        executed_by=None,
        lower="fqbench.backends.onnxruntime.lower:lower_into",
        variants="fqbench.backends.onnxruntime.variants:OnnxRuntimeVariants",
        roundings="fqbench.backends.onnxruntime.lower:roundings",
    ),
)
