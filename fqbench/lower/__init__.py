"""One quantization written in the form that each backend runs best."""
