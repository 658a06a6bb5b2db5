"""Quantization: from FP32 model and images to scales, the same for every backend."""

from fqbench.spec.model import Method

AVAILABLE: tuple[Method, ...] = ("offline", "distillation")
"""How INT8 models are made."""
