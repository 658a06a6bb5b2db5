"""TensorRT and TensorRT for RTX: engines from ONNX models, run on NVIDIA's GPUs."""

from fqbench.backends.tensorrt.backend import TensorRT, TensorRTForRTX

__all__ = ["TensorRT", "TensorRTForRTX"]
