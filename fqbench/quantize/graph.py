"""What a canonical ONNX graph tells about its convolutions before anything is measured."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

ACTIVATIONS_THAT_FUSE = ("Relu", "Clip")
"""Activations that a runtime folds into the convolution before them."""

WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")


class Graph:
    """Producers, consumers and weights of an ONNX graph, by tensor name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = [v.name for v in model.graph.input if v.name not in self.weights]
        self.outputs = [value.name for value in model.graph.output]
        self.producer = {name: node for node in model.graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self.consumers[name].append(node)

    def convolutions(self) -> list[onnx.NodeProto]:
        """Convolutions with constant weights and bias, in the order of the graph."""
        return [
            node
            for node in self.model.graph.node
            if node.op_type == "Conv" and all(name in self.weights for name in node.input[1:])
        ]

    def bias(self, convolution: onnx.NodeProto) -> NDArray[np.float32] | None:
        """Bias [channels] of a convolution; None where it has none."""
        if len(convolution.input) < 3:
            return None
        return np.asarray(numpy_helper.to_array(self.weights[convolution.input[2]]), np.float32)

    def result(self, convolution: onnx.NodeProto) -> str:
        """The tensor a fused kernel of ``convolution`` writes: behind its Relu or Clip if any."""
        name = str(convolution.output[0])
        followers = self.consumers[name]
        alone = name not in self.outputs and len(followers) == 1
        if alone and followers[0].op_type in ACTIVATIONS_THAT_FUSE:
            return str(followers[0].output[0])
        return name

    def is_linear_head(self, convolution: onnx.NodeProto) -> bool:
        """Whether the raw result goes to an output of the model through no further layer.

        Such a tensor holds coordinates beside scores, or logits: eight bits with one scale for
        all of it lose what the decoder needs.
        """
        if self.result(convolution) != convolution.output[0]:
            return False
        pending, seen = [str(convolution.output[0])], set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for node in self.consumers[name]:
                if node.op_type in WEIGHTED:
                    return False
                pending.extend(node.output)
        return True


def float_layers(graph: Graph) -> dict[str, str]:
    """Convolutions that are not quantized whatever the calibration says, each with why."""
    reason = "its result is the model's raw output, coordinates and scores in one tensor"
    return {n.name: reason for n in graph.convolutions() if graph.is_linear_head(n)}
