"""The one-click tool: from a config of its users to INT8 models for every backend."""

from typing import Literal, get_args

CompressionMethod = Literal["PTQ", "QAT"]
"""Offline quantization, and distillation, by the names that the tool's users know."""

METHODS: tuple[CompressionMethod, ...] = get_args(CompressionMethod)
