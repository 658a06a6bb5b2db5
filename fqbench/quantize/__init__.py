"""Quantization: from FP32 model and images to scales, the same for every backend."""

from fqbench.spec.model import Method

AVAILABLE: tuple[Method, ...] = ("offline",)
"""The methods that this version has."""
