"""TensorRT and TensorRT for RTX: engines from ONNX models, run on NVIDIA's GPUs."""
