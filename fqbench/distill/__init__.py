"""Distillation: the FP32 model teaches the INT8 model, without labels."""
