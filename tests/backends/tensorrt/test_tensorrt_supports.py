"""Why a TensorRT cell cannot run here: the first reason that stands in its way."""

from __future__ import annotations

from importlib import metadata

import onnx
import onnxruntime as ort
import pytest

from fqbench.backends import cuda, nvidia, runtime
from fqbench.backends.base import NO_FP16
from fqbench.backends.nvidia import Gpu, NoGpu
from fqbench.backends.tensorrt import runtime as backend
from fqbench.backends.tensorrt.library import Library
from fqbench.backends.tensorrt.runtime import TensorRT, TensorRTForRTX
from fqbench.errors import StepError
from tests.support.onnx_graphs import Net

RTX = Gpu("NVIDIA GeForce RTX 4090", (8, 9), "580.65.06", (13, 0), 24564)
H200 = Gpu("NVIDIA H200", (9, 0), "580.65.06", (13, 0), 143771)
OLD = Gpu("Tesla P100", (6, 0), "580.65.06", (13, 0), 16384)
CUDA12 = Gpu("NVIDIA GeForce RTX 4090", (8, 9), "550.54.15", (12, 4), 24564)
CUDA11 = Gpu("NVIDIA GeForce RTX 3090", (8, 6), "470.57.02", (11, 4), 24564)

FULL13 = {"tensorrt": "10.14.1.48", "tensorrt_cu13": "10.14.1.48", "cuda-bindings": "13.0.1"}
FULL12 = {"tensorrt_cu12": "10.3.0", "cuda-python": "12.4.0"}
OF_RTX = {"tensorrt_rtx_cu13_bindings": "1.7.1", "cuda-bindings": "13.0.1"}


@pytest.fixture
def machine(monkeypatch):
    """Makes this a machine with a GPU (or a reason for none) and with some distributions."""

    def make(gpu: Gpu | str, installed: dict[str, str]) -> None:
        def found() -> Gpu:
            if isinstance(gpu, str):
                raise NoGpu(gpu)
            return gpu

        def version(name: str) -> str:
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        def module(library: Library) -> str | None:
            there = any(name in installed for name in library.distributions)
            return library.modules[0] if there else None

        monkeypatch.setattr(backend, "gpu", found)
        monkeypatch.setattr(metadata, "version", version)
        monkeypatch.setattr(Library, "_module", module)
        monkeypatch.setattr(cuda.provider, "_has_pycuda", lambda: False)

    return make


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8_all"])
@pytest.mark.parametrize(
    ("kind", "gpu", "installed"),
    [
        (TensorRT, RTX, FULL13),
        (TensorRT, RTX, FULL12),
        (TensorRT, CUDA12, FULL12),
        (TensorRT, H200, FULL13),
        (TensorRTForRTX, RTX, OF_RTX),
    ],
)
def test_what_runs(machine, kind, gpu, installed, precision):
    machine(gpu, installed)
    assert kind().supports("gpu", precision) is None


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx"])
def test_nothing_runs_on_a_cpu(machine, name):
    machine(RTX, {**FULL13, **OF_RTX})
    assert runtime(name).supports("cpu", "fp32").endswith("runs on NVIDIA GPUs only")


@pytest.mark.parametrize(
    ("kind", "gpu", "installed", "reason"),
    [
        (TensorRT, "there is no NVIDIA driver", {}, "there is no NVIDIA driver"),
        (TensorRT, "hidden", FULL13, "hidden"),
        (TensorRT, RTX, {}, "TensorRT is not installed: pip install 'fqbench[tensorrt]'"),
        (
            TensorRTForRTX,
            RTX,
            FULL13,
            "TensorRT for RTX is not installed: pip install 'fqbench[tensorrt-rtx]'",
        ),
        (TensorRT, CUDA12, {}, "TensorRT is not installed: pip install 'fqbench[tensorrt-cu12]'"),
        (
            TensorRTForRTX,
            CUDA12,
            {},
            "TensorRT for RTX is not installed: pip install 'fqbench[tensorrt-rtx-cu12]'",
        ),
        (
            TensorRT,
            CUDA11,
            {},
            "TensorRT is not installed, and the NVIDIA driver 470.57.02 runs CUDA 11.4 at most: "
            "install a driver for CUDA 12",
        ),
        (
            TensorRT,
            RTX,
            {"tensorrt": "8.6.1"},
            "TensorRT 8.6.1 is installed, and fqbench needs 10 or later: pip install --upgrade "
            "'fqbench[tensorrt]'",
        ),
        (
            TensorRT,
            CUDA12,
            FULL13,
            "TensorRT is installed for CUDA 13, and the NVIDIA driver 550.54.15 runs CUDA 12.4 at "
            "most: install a driver for CUDA 13, or pip install 'fqbench[tensorrt-cu12]' in place"
            " of it",
        ),
        (
            TensorRT,
            CUDA11,
            FULL12,
            "TensorRT is installed for CUDA 12, and the NVIDIA driver 470.57.02 runs CUDA 11.4 at "
            "most: install a driver for CUDA 12",
        ),
        (
            TensorRT,
            OLD,
            FULL13,
            "the Tesla P100 has compute capability 6.0, and TensorRT needs 7.5 (Turing) or later",
        ),
        (
            TensorRTForRTX,
            H200,
            OF_RTX,
            "the NVIDIA H200 has compute capability 9.0, and NVIDIA documents TensorRT for RTX for "
            "RTX GPUs, of 7.5, 8.6, 8.9, 12.0, 12.1; TensorRT may run on it",
        ),
        (TensorRT, RTX, {"tensorrt_cu13": "11.4.0"}, cuda.provider.INSTALL),
    ],
)
def test_first_reason_is_told(machine, kind, gpu, installed, reason):
    machine(gpu, installed)
    assert kind().supports("gpu", "int8") == reason


def test_int8_files_of_others_are_not_run(machine):
    machine(RTX, FULL13)
    assert TensorRT().supports("gpu", "int8_file") == (
        "TensorRT runs no INT8 file made for another backend"
    )


def test_this_machine_runs_them_or_says_why():
    why = nvidia.why_no_gpu()
    for kind in (TensorRT, TensorRTForRTX):
        found = kind().supports("gpu", "fp32")
        assert found == why if why is not None else found is None or found


def test_engine_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StepError) as caught:
        TensorRT().prepare(tmp_path, device="gpu", precision="fp32", threads=1)
    assert str(caught.value) == (
        f"the engine in {tmp_path} cannot be read (No such file or directory): "
        f"delete the folder {tmp_path}, and the next run builds it again"
    )


GPU_PACKAGES = {
    "onnxruntime-gpu 1.31.1": ["numpy>=1.21.6", 'nvidia-cuda-runtime~=13.0; extra == "cuda"'],
    "onnxruntime-gpu 1.27.0": ['nvidia-cuda-runtime-cu13~=13.0; extra == "cuda"'],
    "onnxruntime-gpu 1.24.4": [
        'nvidia-cuda-nvrtc-cu12~=12.0; extra == "cuda"',
        'nvidia-cuda-runtime-cu12~=12.0; extra == "cuda"',
    ],
    "onnxruntime-gpu 1.18.0": ["numpy>=1.21.6"],
}
"""What releases require."""


class TestOnnxRuntimeOnTheGpu:
    @pytest.fixture
    def reason(self, machine, monkeypatch):
        from fqbench.backends.onnxruntime import runtime as onnxruntime

        def asked(here: Gpu | str, installed: str, precision: str = "fp32"):
            machine(here, dict([installed.split(" ")]))
            monkeypatch.setattr(onnxruntime, "gpu", backend.gpu)
            monkeypatch.setattr(metadata, "requires", lambda name: GPU_PACKAGES[installed])
            return onnxruntime.OnnxRuntime().supports("gpu", precision)

        return asked

    @pytest.mark.parametrize(
        ("here", "installed"),
        [
            *((RTX, installed) for installed in GPU_PACKAGES),
            (CUDA12, "onnxruntime-gpu 1.24.4"),
            (CUDA11, "onnxruntime-gpu 1.18.0"),
        ],
    )
    def test_float_runs_with_its_cuda_provider(self, reason, here, installed):
        assert reason(here, installed) is None

    def test_what_lacks_is_told(self, reason):
        assert reason("no driver", "onnxruntime-gpu 1.31.1") == "no driver"
        assert reason(RTX, "onnxruntime 1.31.1") == (
            "ONNX Runtime is installed without its CUDA provider: pip uninstall onnxruntime, then "
            "pip install 'onnxruntime-gpu[cuda,cudnn]'"
        )
        assert reason(CUDA12, "onnxruntime 1.31.1").endswith("'onnxruntime-gpu[cuda,cudnn]<1.27'")

    @pytest.mark.parametrize("version", ["1.31.1", "1.27.0"])
    def test_package_for_a_newer_cuda_than_the_drivers_is_told(self, reason, version):
        assert reason(CUDA12, f"onnxruntime-gpu {version}") == (
            f"onnxruntime-gpu {version} is for CUDA 13, and the NVIDIA driver 550.54.15 runs CUDA "
            "12.4 at most: install a driver for CUDA 13, or pip install "
            "'onnxruntime-gpu[cuda,cudnn]<1.27'"
        )

    def test_driver_older_than_every_package_is_told(self, reason):
        assert reason(CUDA11, "onnxruntime-gpu 1.24.4") == (
            "onnxruntime-gpu 1.24.4 is for CUDA 12, and the NVIDIA driver 470.57.02 runs CUDA 11.4 "
            "at most: install a driver for CUDA 12"
        )

    def test_int8_and_fp16_do_not(self, reason):
        for precision in ("int8", "int8_all", "int8_file"):
            assert "TensorRT does" in reason(RTX, "onnxruntime-gpu 1.31.1", precision)
        assert reason(RTX, "onnxruntime 1.31.1", "fp16") == NO_FP16

    def test_package_without_the_provider_is_told(self, tmp_path):
        if "CUDAExecutionProvider" in ort.get_available_providers():
            pytest.skip("ONNX Runtime is installed with its CUDA provider")
        net = Net()
        onnx.save(net.model(net.conv("x", 4)), str(tmp_path / "model.onnx"))
        onnxruntime = runtime("onnxruntime")
        for precision in ("fp32", "int8"):
            with pytest.raises(StepError) as caught:
                onnxruntime.prepare(tmp_path, device="gpu", precision=precision, threads=1)
            assert str(caught.value) == (
                "ONNX Runtime cannot use the GPU and would run on the CPU: its CUDA provider, CUDA "
                "or cuDNN is missing or of another version; pip uninstall onnxruntime, then pip "
                "install 'onnxruntime-gpu[cuda,cudnn]'"
            )

    def test_falling_back_to_the_cpu_is_an_error(self):
        from fqbench.backends.onnxruntime.runtime import _check_provider

        _check_provider(["CUDAExecutionProvider", "CPUExecutionProvider"])
        with pytest.raises(StepError, match="would run on the CPU"):
            _check_provider(["CPUExecutionProvider"])
