"""OpenVINO's record."""

from __future__ import annotations

from fqbench.backends.record import Backend, Conversion, Int8Form
from fqbench.precisions.own import BF16, FP16

ENVIRONMENT = "openvino"

HINTS = {BF16.runtime_name: "bf16", FP16.runtime_name: "f16"}
"""What OpenVINO is asked to compute in; float32 for what is not here."""

SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "LATENCY",
}
"""How its INT8 files are compiled: what stays in float stays float32, where it takes bfloat16 by
itself on some CPUs."""

_LISTED = ", ".join(f"{key!r}: {value!r}" for key, value in SETTINGS.items())

BACKEND = Backend(
    name="openvino",
    label="OpenVINO",
    distributions={"openvino": ("openvino",)},
    # fqbench writes ONNX graphs, and other toolkits OpenVINO's own format, which is read no faster:
    # compiling takes ten times as long.
    loads=(".onnx", ".xml", ".bin"),
    environment=ENVIRONMENT,
    runtime="fqbench.backends.openvino.runtime:OpenVino",
    import_runtime="fqbench.backends.openvino.runtime:import_runtime",
    side_by_side=True,
    bare_call="fqbench.backends.openvino.runtime:bare_call",
    throughput="fqbench.backends.openvino.throughput:ways",
    time_nodes="fqbench.backends.openvino.profile:time_nodes",
    snippet="fqbench.backends.openvino.snippet:snippet",
    conversion=Conversion(
        step="openvino_graph",
        write="fqbench.backends.openvino.mend:write",
        check="fqbench.backends.openvino.checking:check_graph",
        open_sizes=True,
        libraries=("openvino",),
    ),
    engine=None,
    float16="fqbench.backends.openvino.mend:for_float16",
    saturates="probed",
    int8=Int8Form(
        device="cpu",
        timed=True,
        float16=False,
        files=("model.onnx",),
        setting=f"core.compile_model('model.onnx', 'CPU', {{{_LISTED}}})",
        libraries=("onnx",),
        executed_by=None,
        lower="fqbench.backends.openvino.lower:lower_into",
        variants="fqbench.backends.openvino.variants:OpenVinoVariants",
        roundings="fqbench.backends.openvino.plan:roundings",
    ),
)
"""OpenVINO on a CPU."""
