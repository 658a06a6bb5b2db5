"""Quantization: from FP32 model and images to scales, the same for every backend."""
