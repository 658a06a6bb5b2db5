"""ONNX Runtime: all that is its own."""
