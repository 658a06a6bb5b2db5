"""The canonical graph as ONNX: read, and executed."""
