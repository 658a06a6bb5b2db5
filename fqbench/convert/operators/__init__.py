"""ONNX's operators written in Paddle's: one small function each, found by the operator's name.

The modules import paddle; what each needs of a node and of a program, ``operator`` gives.
"""
