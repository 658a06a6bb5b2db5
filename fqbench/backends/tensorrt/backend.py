"""The records of TensorRT and of TensorRT for RTX, which run one INT8 form."""

from __future__ import annotations

from fqbench.backends.record import Backend, Int8Form
from fqbench.backends.tensorrt.library import TENSORRT, TENSORRT_RTX, Library
from fqbench.environments import HERE


def _record(
    name: str, library: Library, runtime: str, suffix: str, int8: Int8Form | str
) -> Backend:
    """``suffix``: of the names of functions that are the library's own."""
    return Backend(
        name=name,
        label=library.name,
        distributions={name: library.distributions},
        loads=(".engine",),
        environment=HERE,
        runtime=f"fqbench.backends.tensorrt.runtime:{runtime}",
        import_runtime=f"fqbench.backends.tensorrt.runtime:import_runtime{suffix}",
        side_by_side=False,
        # No call is shorter than what is measured: copies, launch, waiting.
        bare_call=None,
        throughput=f"fqbench.backends.tensorrt.throughput:ways{suffix}",
        time_nodes=None,
        snippet=f"fqbench.backends.tensorrt.snippet:snippet{suffix}",
        conversion=None,
        engine=library,
        float16="fqbench.backends.tensorrt.half:as_float16",
        saturates="never",
        int8=int8,
    )


FORM = Int8Form(
    device="gpu",
    # Engines are timed where their GPU is.
    timed=False,
    float16=True,
    files=("model.onnx",),
    setting=None,
    libraries=("onnx", "onnxruntime", "numpy", "pillow", "scipy"),
    executed_by="onnxruntime",
    lower="fqbench.backends.tensorrt.lower:lower_into",
    variants="fqbench.backends.tensorrt.variants:TensorRTVariants",
    roundings="fqbench.backends.tensorrt.plan:roundings",
)

BACKEND = _record("tensorrt", TENSORRT, "TensorRT", "", FORM)
FOR_RTX = _record("tensorrt_rtx", TENSORRT_RTX, "TensorRTForRTX", "_for_rtx", BACKEND.name)
