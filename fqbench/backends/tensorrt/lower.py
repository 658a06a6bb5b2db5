"""Lowering for TensorRT: explicit quantization, signed and symmetric.

Activations are int8 with one scale a tensor, weights int8 constants with one a channel, behind a
DequantizeLinear; a bias stays float, since TensorRT dequantizes no int32. There is no pair between
a convolution and its activation. Every scale is one that float16 holds (but those too small for
it), so that the graph computes the same codes whether its float parts are float32 or float16.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper

from fqbench.backends.lowering import Lowered, left_in_float
from fqbench.backends.tensorrt.half import half, large_tensors
from fqbench.backends.tensorrt.plan import rounded_tensors, unsuited
from fqbench.graph.checking import check
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph, add_constant, drop_unread
from fqbench.quantize.adapt import apply_rounded_weights
from fqbench.quantize.affine import INT8_MAX, as_half, int8_weight
from fqbench.quantize.pairs import reads_integers, with_pairs
from fqbench.quantize.record import Quantization

FAINT = 2.0**-12
"""Part of a weight's largest scale below which a channel adds nothing that eight bits show."""

SMALLEST_HALF = 2.0**-24
"""Smallest number of float16."""


def lower(model: onnx.ModelProto, quantization: Quantization) -> onnx.ModelProto:
    """Return the INT8 form of the canonical graph ``model``, its float parts in float32.

    ``model`` stays as it is; ``half.half`` makes the float parts float16.
    """
    layers, roundings = rounded_tensors(model, quantization)
    source = apply_rounded_weights(model, quantization, layers)
    graph = Graph(source)

    def weight(target: onnx.GraphProto, layer: onnx.NodeProto) -> str:
        amax = quantization.weight_amax[layer.input[1]]
        codes, scales = weight_codes(graph.weight(layer), amax)
        name, axis = f"{layer.name}__weight", graph.channel_axis(layer)
        parts = [
            add_constant(target, f"{name}__codes", graph.as_stored(layer, codes)),
            add_constant(target, f"{name}__scale", scales),
            add_constant(target, f"{name}__zero_point", np.zeros(scales.shape, np.int8)),
        ]
        target.node.append(
            helper.make_node("DequantizeLinear", parts, [name], f"{name}__dq", axis=axis)
        )
        return name

    result = with_pairs(source, roundings, layers, weight)
    drop_unread(result.graph)
    check(result)
    return result


def lower_into(
    model: onnx.ModelProto,
    quantization: Quantization,
    folder: Path,
    *,
    feeds: Sequence[Feed],
    float_silu: bool,
    unsigned: frozenset[str],
) -> Lowered:
    """See ``fqbench.backends.lowering.Lower``. Float parts are float16, as ``feeds`` allow."""
    lowered = lower(model, quantization)
    onnx.save(half(lowered, large_tensors(model, feeds)), str(folder / "model.onnx"))
    graph = Graph(lowered)
    layers = [node for node in lowered.graph.node if node.op_type in ("Conv", "Gemm")]
    quantized = {node.name for node in layers if reads_integers(graph, node)}
    left = left_in_float(model, quantization, quantized, unsuited(Graph(model)))
    return Lowered(lowered, len(layers), len(quantized), left)


def weight_codes(
    weight: NDArray[np.float32], amax: ArrayLike
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Codes and scales [channels] of a weight, channels on axis 0.

    Faint channels have a power of two, which float16 holds however small it is.
    """
    scales = np.asarray(amax, np.float64) / INT8_MAX
    faint = FAINT * (scales.max(initial=0.0) or 1.0)
    least = max(2.0 ** np.ceil(np.log2(faint)), SMALLEST_HALF)
    limits = INT8_MAX * as_half(np.maximum(scales, least)).astype(np.float64)
    return int8_weight(weight, limits)
