"""Paddle Inference: all that is its own."""
