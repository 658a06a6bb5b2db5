"""OpenVINO: how it runs, how a quantization is lowered for it, how its graph is read."""
