"""Which models are what other toolkits' documentation calls transformers."""

from __future__ import annotations

import onnx

from fqbench.graph.graph import Graph


def has_attention(model: onnx.ModelProto) -> bool:
    """Whether a softmax weighs rows of ``model``: it is one side of a product of two tensors that
    are computed."""
    graph = Graph(model)
    return any(
        graph.producer[name].op_type == "Softmax"
        for node in graph.products()
        for name in node.input
        if name in graph.producer
    )


def is_transformer(model: onnx.ModelProto) -> bool:
    """Whether ``model`` has attention, and most of its layers are fully connected."""
    layers = Graph(model).layers()
    return has_attention(model) and 2 * sum(node.op_type == "Gemm" for node in layers) > len(layers)
