"""Benchmark and conformance suite for quantized vision models."""

__version__ = "0.1.0"
