"""Calibration: an FP32 model and images become scales, the same for every backend."""
