"""A backend with an INT8 form of its own, as another package would bring it.

It is ONNX Runtime, slower by ``SLOWDOWN`` of its time, of which tests write other versions. They
copy this module into a package of its own: it imports nothing of the tests.
"""

from __future__ import annotations

from time import perf_counter

from fqbench.backends import Backend
from fqbench.backends.onnxruntime.backend import BACKEND as ONNX_RUNTIME
from fqbench.backends.onnxruntime.runtime import OnnxRuntime
from fqbench.environments import HERE

SLOWDOWN = 0.0


class Delayed(OnnxRuntime):
    """It takes TF32 models for what their files are: float32."""

    def supports(self, device, precision):
        if device != "cpu" or precision in ("bf16", "fp16"):
            return "Delayed Runtime runs no FP16 or BF16, and on CPUs only"
        return None

    def prepare(self, folder, *, device, precision, threads):
        known = "fp32" if precision == "tf32" else precision
        return Waiting(super().prepare(folder, device=device, precision=known, threads=threads))


class Waiting:
    def __init__(self, runner):
        self.runner = runner
        self.int8_convolutions = runner.int8_convolutions

    def run(self, inputs):
        start = perf_counter()
        outputs = self.runner.run(inputs)
        end = start + (1 + SLOWDOWN) * (perf_counter() - start)
        while perf_counter() < end:
            pass
        return outputs


BACKEND = Backend(
    name="delayed",
    label="Delayed Runtime",
    distributions={"delayed": ("outside",)},
    loads=(".onnx",),
    environment=HERE,
    runtime="outside_backend:Delayed",
    import_runtime="fqbench.backends.onnxruntime.runtime:import_runtime",
    side_by_side=True,
    bare_call=None,
    throughput=None,
    time_nodes=None,
    snippet="fqbench.backends.onnxruntime.snippet:snippet",
    conversion=None,
    engine=None,
    float16=None,
    saturates="probed",
    int8=ONNX_RUNTIME.int8,
)
