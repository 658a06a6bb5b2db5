"""One canonical FP32 graph for every model, in ONNX and as a Paddle program."""
