"""What test_rtx_session.py runs in a child process, with the real TensorRT for RTX and no GPU."""

from fqbench.backends.tensorrt.engine import build
from fqbench.backends.tensorrt.library import TENSORRT_RTX
from fqbench.backends.tensorrt.session import Session
from fqbench.errors import StepError
from tests.support.cuda_stand_in import CudaStandIn
from tests.support.onnx_graphs import Net

CALLED = {
    "Runtime": ("deserialize_cuda_engine",),
    "ICudaEngine": (
        "num_io_tensors",
        "get_tensor_name",
        "get_tensor_mode",
        "get_tensor_location",
        "get_tensor_dtype",
        "get_tensor_shape",
        "get_tensor_profile_shape",
        "create_execution_context",
        "create_runtime_config",
    ),
    "IRuntimeConfig": ("create_runtime_cache", "set_runtime_cache"),
    "IRuntimeCache": ("deserialize", "serialize"),
    "IExecutionContext": (
        "set_input_shape",
        "get_tensor_shape",
        "set_tensor_address",
        "is_stream_capturable",
        "execute_async_v3",
    ),
    "TensorIOMode": ("INPUT",),
    "TensorLocation": ("DEVICE",),
}
"""What a session calls of the library."""


def lacking(arguments, report):
    """What of ``CALLED`` the library lacks."""
    module = TENSORRT_RTX.load()
    return [
        f"{kind}.{name}"
        for kind, names in CALLED.items()
        for name in names
        if not hasattr(getattr(module, kind), name)
    ] + ([] if callable(module.nptype) else ["nptype"])


def refusals(arguments, report):
    """What is said of engines that cannot be loaded, and how much of CUDA is not given back."""
    net = Net()
    model = net.model(net.node("Relu", net.conv("x", 16)))
    plan = build(TENSORRT_RTX, model.SerializeToString(), target=(8, 9))
    engines = {"cut": plan[: len(plan) // 2], "overwritten": bytes(64) + plan[64:], "empty": b""}
    if arguments["whole"]:
        engines["whole"] = plan
    said = {}
    for name, engine in engines.items():
        cuda = CudaStandIn()
        try:
            Session(TENSORRT_RTX.load(), TENSORRT_RTX.name, engine, cuda)
        except StepError as error:
            said[name] = [str(error), cuda.held]
    return said
