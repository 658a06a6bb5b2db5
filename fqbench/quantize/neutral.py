"""PaddleSlim's scales told by the names of the canonical ONNX graph."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from fqbench.quantize.fingerprint import Fingerprint, pair
from fqbench.quantize.graph import Graph, float_layers
from fqbench.quantize.offline import PaddleScales, digest
from fqbench.quantize.record import Quantization

Names = dict[str, tuple[str, ...]]


def neutral(
    model: onnx.ModelProto,
    scales: PaddleScales,
    tensors: Sequence[NDArray[np.float32]],
    algorithm: str,
    images: int,
) -> tuple[Quantization, Names]:
    """Return the backend-neutral record, and the program's names of each ONNX tensor.

    ``tensors`` are the inputs that the fingerprints in ``scales`` were taken on.
    """
    graph = Graph(model)
    names = pair(fingerprints(model, tensors), scales.fingerprints)
    amax = {
        tensor: scales.amax[alias]
        for tensor, aliases in names.items()
        for alias in aliases
        if alias in scales.amax
    }
    weights = {node.input[1]: graph.weights[node.input[1]] for node in graph.convolutions()}
    digests = {name: digest(numpy_helper.to_array(tensor)) for name, tensor in weights.items()}
    weight_amax = {
        name: scales.weight_amax[key] for name, key in digests.items() if key in scales.weight_amax
    }
    record = Quantization(
        "offline", algorithm, images, amax, weight_amax, _kept_float(graph, amax, weight_amax)
    )
    return record, names


def _kept_float(graph: Graph, amax: Mapping[str, float], weights: Container[str]) -> dict[str, str]:
    kept = float_layers(graph)
    for node in graph.convolutions():
        ends = (node.input[0], graph.result(node))
        if node.input[1] not in weights or any(end not in amax for end in ends):
            kept.setdefault(node.name, "calibration gave no scale for its input, weight or result")
    return kept


def fingerprints(
    model: onnx.ModelProto, tensors: Sequence[NDArray[np.float32]]
) -> dict[str, Fingerprint]:
    """Fingerprints of all float32 tensors that the graph computes from ``tensors``."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    outputs = {value.name for value in watched.graph.output}
    for node in watched.graph.node:
        for name in node.output:
            if name and name not in outputs:
                watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = dict(zip((value.name for value in session.get_inputs()), tensors, strict=True))
    names = [value.name for value in session.get_outputs()]
    found = {name: Fingerprint.of(tensor) for name, tensor in feed.items()}
    for name, value in zip(names, session.run(None, feed), strict=True):
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            found[name] = Fingerprint.of(value)
    return found
