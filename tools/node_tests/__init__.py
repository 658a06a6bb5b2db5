"""ONNX's own tests of single operators through every conversion."""
