"""Bias correction: rounded weights move the mean of a layer's result; its bias moves it back.

Nagel et al. 2019, Data-free quantization through weight equalization and bias correction
(arXiv:1906.04721), section 4.2, with means of real images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.quantize.affine import rounded_weight
from fqbench.quantize.graph import Graph


def corrections(
    graph: Graph,
    means: Mapping[str, NDArray[np.float64]],
    weight_amax: Mapping[str, tuple[float, ...]],
) -> dict[str, tuple[float, ...]]:
    """What to add to the bias [output channels] of each layer once its weight is rounded.

    ``means``: of each channel of the tensors that layers read. What padding adds to a
    convolution's input is left out of account: it would make the correction smaller at the edges.
    """
    found = {}
    for layer in graph.layers():
        if layer.input[0] not in means:
            continue
        weight = graph.weight(layer)
        lost = weight - rounded_weight(weight, weight_amax[layer.input[1]])
        taps = lost.reshape(*lost.shape[:2], -1).sum(axis=2, dtype=np.float64)
        groups = next((a.i for a in layer.attribute if a.name == "group"), 1)
        apart = taps.reshape(groups, -1, taps.shape[1])
        read = means[layer.input[0]].reshape(groups, -1)
        if apart.shape[2] == read.shape[1]:
            found[layer.name] = tuple(np.einsum("goi,gi->go", apart, read).ravel().tolist())
    return found


def corrected(model: onnx.ModelProto, by_layer: Mapping[str, tuple[float, ...]]) -> onnx.ModelProto:
    """``model`` with the corrections of ``by_layer`` in its biases; ``model`` stays as it is.

    A layer without a bias gets one. One whose bias others share is left as it is.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = Graph(result)
    for layer in graph.layers():
        if layer.name not in by_layer:
            continue
        added = np.array(by_layer[layer.name], np.float32)
        if len(layer.input) < 3:
            name = f"{layer.name}__bias_correction"
            layer.input.append(name)
            result.graph.initializer.append(numpy_helper.from_array(added, name))
            continue
        name = layer.input[2]
        if len(graph.consumers[name]) > 1:
            continue
        bias = numpy_helper.to_array(graph.weights[name])
        graph.weights[name].CopyFrom(numpy_helper.from_array(bias + added, name))
    return result
