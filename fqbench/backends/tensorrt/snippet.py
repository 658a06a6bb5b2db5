"""How a user loads TensorRT's engines: by its own calls, and those of cuda-python."""

from __future__ import annotations

import json

from fqbench.backends.snippet import SnippetRequest

NAMES = "bindings.json"
"""Beside the engine: names of inputs and outputs in the model's order."""

_TEXT = """\
import numpy
import {module} as tensorrt
from cuda.bindings import driver as cuda

INPUTS = {inputs}
OUTPUTS = {outputs}


def call(function, *arguments):
    status, *values = function(*arguments)
    if status != cuda.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"{{function.__name__}}: {{status}}")
    return values[0] if values else None


def load(folder):
    call(cuda.cuInit, 0)
    call(cuda.cuCtxSetCurrent, call(cuda.cuDevicePrimaryCtxRetain, call(cuda.cuDeviceGet, 0)))
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    runtime = tensorrt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine((folder / "model.engine").read_bytes())
    context = engine.create_execution_context()
    stream = call(cuda.cuStreamCreate, int(cuda.CUstream_flags.CU_STREAM_NON_BLOCKING))
    arrays, addresses = {{}}, {{}}
    for name in (*INPUTS, *OUTPUTS):
        shape = tuple(context.get_tensor_shape(name))
        array = numpy.empty(shape, tensorrt.nptype(engine.get_tensor_dtype(name)))
        arrays[name], addresses[name] = array, int(call(cuda.cuMemAlloc, max(array.nbytes, 1)))
        context.set_tensor_address(name, addresses[name])

    def run(inputs):
        for name, value in zip(INPUTS, inputs):
            numpy.copyto(arrays[name], value)
            call(
                cuda.cuMemcpyHtoDAsync,
                addresses[name],
                arrays[name].ctypes.data,
                arrays[name].nbytes,
                stream,
            )
        if not context.execute_async_v3(int(stream)):
            raise RuntimeError("the engine does not run")
        for name in OUTPUTS:
            array = arrays[name]
            call(cuda.cuMemcpyDtoHAsync, array.ctypes.data, addresses[name], array.nbytes, stream)
        call(cuda.cuStreamSynchronize, stream)
        return [arrays[name].copy() for name in OUTPUTS]

    # The engine lives as long as what made it.
    run.alive = (logger, runtime, engine, context)
    return run
"""


def snippet(request: SnippetRequest) -> str:
    """See ``fqbench.backends.snippet.WriteSnippet``."""
    return _written(request, "tensorrt")


def snippet_for_rtx(request: SnippetRequest) -> str:
    """As ``snippet``, with TensorRT for RTX."""
    return _written(request, "tensorrt_rtx")


def _written(request: SnippetRequest, module: str) -> str:
    told = json.loads((request.folder / NAMES).read_text())
    return _TEXT.format(module=module, inputs=told["inputs"], outputs=told["outputs"])
