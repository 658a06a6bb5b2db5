"""ONNX Runtime on a CPU, and FP32 on an NVIDIA GPU."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from fqbench.backends.base import NO_FP16, Runner, Tensor, missing, unknown
from fqbench.backends.nvidia import Gpu, NoGpu, count_as_nvml, gpu, newer_driver
from fqbench.errors import StepError
from fqbench.graph.executor import ON_CPU, open_session, session_options

MODEL = "model.onnx"

INT8_LAYERS = ("QLinearConv", "ConvInteger", "QGemm", "MatMulIntegerToFloat")
"""Convolutions and fully connected layers of the optimized graph that multiply integers."""

CUDA = "CUDAExecutionProvider"
CUDA_OPTIONS = {"device_id": 0, "use_tf32": 0}
"""Float32 is float32: TF32 keeps ten bits of a factor's mantissa."""

GPU_PACKAGE = "onnxruntime-gpu"
UNINSTALL = "pip uninstall onnxruntime"
INSTALL_GPU = f"{UNINSTALL}, then pip install '{GPU_PACKAGE}[cuda,cudnn]'"
"""Both packages write into one folder: with both installed, the last one is what is imported, or
parts of each."""

FOR_CUDA_12 = f"pip install '{GPU_PACKAGE}[cuda,cudnn]<1.27'"
"""1.26 is the last release whose package on PyPI is for CUDA 12; from 1.27 on they are for 13."""

_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu(\d+)|\s*\(?[~=>]=\s*(\d+))")


class OnnxRuntime:
    """Runs ``model.onnx`` of an artifact."""

    def supports(self, device: str, precision: str) -> str | None:
        """See ``Runtime.supports``."""
        if precision == "fp16":
            return NO_FP16
        if (reason := unknown(precision)) is not None:
            return reason
        if device == "cpu":
            return missing("onnxruntime", module="onnxruntime", install="onnxruntime")
        if precision != "fp32":
            return (
                "ONNX Runtime's CUDA provider does not run fqbench's INT8 form in integers; "
                "TensorRT does"
            )
        try:
            return _no_cuda_provider(gpu())
        except NoGpu as error:
            return str(error)

    def prepare(self, folder: Path, *, device: str, precision: str, threads: int) -> Runner:
        """See ``Runtime.prepare``."""
        return _Session(folder / MODEL, device, partial(options_for, precision, threads))


def options_for(precision: str, threads: int) -> Any:
    """New options of a session that runs an artifact in ``precision``."""
    exact = precision == "int8_file_exact"
    return session_options(threads, fuse_pairs=precision != "fp32", exact=exact)


def import_runtime() -> None:
    """Import ONNX Runtime."""
    import onnxruntime  # noqa: F401


def _no_cuda_provider(here: Gpu) -> str | None:
    """What to install for FP32 on this GPU; None where it is there."""
    try:
        version = metadata.version(GPU_PACKAGE)
    except metadata.PackageNotFoundError:
        install = f"{UNINSTALL}, then {FOR_CUDA_12}" if here.cuda[0] == 12 else INSTALL_GPU
        return f"ONNX Runtime is installed without its CUDA provider: {install}"
    built = _built_for()
    if built is None or built <= here.cuda[0]:
        return None
    instead = f", or {FOR_CUDA_12}" if here.cuda[0] == 12 else ""
    return f"{GPU_PACKAGE} {version} is for CUDA {built}, and {newer_driver(here, built)}{instead}"


def _built_for() -> int | None:
    """Major version of CUDA that the installed package is for, by the CUDA that its extra needs.

    None where it does not tell.
    """
    found = map(_RUNTIME.match, metadata.requires(GPU_PACKAGE) or ())
    return next((int(match[1] or match[2]) for match in found if match is not None), None)


def _open(model: Path, options: Any, device: str) -> Any:
    """A session of a model's file. Raises StepError where a GPU would not be used."""
    if device == "cpu":
        return open_session(model, options)
    import onnxruntime as ort

    _check_provider(ort.get_available_providers())
    count_as_nvml()
    if hasattr(ort, "preload_dlls"):  # finds what the nvidia packages of pip bring
        ort.preload_dlls()
    session = open_session(model, options, ((CUDA, CUDA_OPTIONS), *ON_CPU))
    _check_provider(session.get_providers())
    return session


def _check_provider(providers: Sequence[str]) -> None:
    """Raise StepError where the CUDA provider is not among ``providers``.

    ONNX Runtime itself falls back to the CPU, and only prints why, into what no user sees.
    """
    if CUDA not in providers:
        raise StepError(
            "ONNX Runtime cannot use the GPU and would run on the CPU: its CUDA provider, CUDA or "
            f"cuDNN is missing or of another version; {INSTALL_GPU}"
        )


class _Session:
    def __init__(self, path: Path, device: str, options: Callable[[], Any]) -> None:
        self._path, self._device, self._options = path, device, options
        self.session = _open(path, options(), device)
        self._inputs = [value.name for value in self.session.get_inputs()]

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        outputs: list[Tensor] = self.session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        return outputs

    def int8_convolutions(self) -> int:
        import onnx

        from fqbench.backends.onnxruntime.rewrite import SURROGATE_SUFFIX

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "optimized.onnx"
            options = self._options()
            options.optimized_model_filepath = str(target)
            _open(self._path, options, self._device)
            graph = onnx.load(str(target), load_external_data=False).graph
        stand_in = f"{SURROGATE_SUFFIX}__codes"
        return sum(
            node.op_type in INT8_LAYERS and not any(name.endswith(stand_in) for name in node.input)
            for node in graph.node
        )


def bare_call(runner: Runner, feed: Sequence[Tensor]) -> Callable[[], object]:
    """ONNX Runtime's own call, as its documentation shows it."""
    session: Any = runner.session  # type: ignore[attr-defined]
    named = dict(zip((value.name for value in session.get_inputs()), feed, strict=True))
    return lambda: session.run(None, named)
