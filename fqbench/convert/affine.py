"""Constant factors and offsets as a part of the layers beside them.

What scales or shifts whole channels behind a layer belongs into its weight and bias; a scalar
before layers, too, where they read no padding, which is zero whatever is added. Each operator left
out is a pass over a tensor less, in FP32 as in INT8: PP-OCR's recognition has 66 of them between 38
convolutions. Batch norms are such factors and offsets. ONNX Runtime folds them before, but only
those behind versions of Conv that its release knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.numpy_helper import to_array

from fqbench.graph.graph import Graph, add_constant, attributes, drop_unread, replace_items

Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Affine:
    """What an operator makes of ``source``: times ``factor``, plus ``offset``; each [] or
    [channels]."""

    source: str
    factor: Values
    offset: Values


def fold_affine(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with constant factors and offsets in the layers beside them; the same function.

    Shapes must be known: where they are not, nothing is folded.
    """
    result = onnx.shape_inference.infer_shapes(model)
    while _fold_first(Graph(result)):
        drop_unread(result.graph)
    written = {name for node in result.graph.node for name in node.output}
    known = [value for value in result.graph.value_info if value.name in written]
    replace_items(result.graph.value_info, known)
    return result


def _fold_first(graph: Graph) -> bool:
    """Take the first operator out of ``graph`` that a layer beside it can do; whether one was."""
    nodes = graph.model.graph.node
    for node in nodes:
        affine = _affine(graph, node)
        if affine is None:
            continue
        if _fold_behind(graph, node, affine) or _fold_before(graph, node, affine):
            replace_items(nodes, [each for each in nodes if each is not node])
            return True
    return False


def _fold_behind(graph: Graph, node: onnx.NodeProto, affine: _Affine) -> bool:
    """Let the layer that writes what ``node`` reads write what ``node`` makes of it."""
    layer = graph.producer.get(affine.source)
    alone = affine.source not in graph.outputs and len(graph.consumers[affine.source]) == 1
    if layer is None or not alone or not _is_own_layer(graph, layer):
        return False
    weight = graph.weight(layer).astype(np.float64)
    bias, every = graph.bias(layer), np.ones(len(weight))
    shares = (every * affine.factor).reshape(-1, *[1] * (weight.ndim - 1))
    shifted = (0.0 * every if bias is None else bias) * affine.factor + affine.offset
    layer.output[0] = node.output[0]
    _write(graph, layer, weight * shares, shifted)
    return True


def _fold_before(graph: Graph, node: onnx.NodeProto, affine: _Affine) -> bool:
    """Let the layers that read what ``node`` writes read what it reads.

    Those that pad do so behind an offset, which stays then, divided by the factor before it.
    """
    if affine.factor.ndim or affine.offset.ndim or affine.factor == 0.0:
        return False
    target = str(node.output[0])
    added, layers = None, _layers(graph, target)
    if not layers:
        (added, *others) = graph.consumers[target] or [None]
        behind = _affine(graph, added) if added is not None and not others else None
        if added is None or behind is None or behind.offset.ndim or behind.factor.ndim:
            return False
        layers = _layers(graph, added.output[0])
        if not layers or behind.factor != 1.0 or affine.offset != 0.0:
            return False
        place = list(added.input).index(target)
        offset = behind.offset / affine.factor * (-1.0 if added.op_type == "Sub" else 1.0)
        name = f"{added.output[0]}_offset"
        added.input[1 - place] = add_constant(graph.model.graph, name, offset.astype(np.float32))
    elif affine.offset != 0.0 and any(map(_pads, layers)):
        return False
    for layer in layers:
        weight = graph.weight(layer).astype(np.float64)
        shifted = affine.offset * weight.reshape(len(weight), -1).sum(axis=1)
        bias = graph.bias(layer)
        _write(graph, layer, weight * affine.factor, shifted + (0.0 if bias is None else bias))
    for reader in layers if added is None else [added]:
        reader.input[:] = [affine.source if name == target else name for name in reader.input]
    return True


def _affine(graph: Graph, node: onnx.NodeProto) -> _Affine | None:
    """What ``node`` does by a constant to whole channels; None where it does something else."""
    if node.op_type == "BatchNormalization":
        return _of_statistics(graph, node)
    places = [place for place, name in enumerate(node.input) if name in graph.weights]
    if node.op_type not in ("Mul", "Div", "Add", "Sub") or len(places) != 1:
        return None
    if node.op_type in ("Div", "Sub") and places == [0]:
        return None
    tensor = graph.weights[node.input[places[0]]]
    shape = graph.shape(node.input[1 - places[0]])
    if tensor.data_type != onnx.TensorProto.FLOAT or shape is None or len(shape) not in (2, 4):
        return None
    value = to_array(tensor).astype(np.float64)
    if value.size == 1 and value.ndim <= len(shape):
        value = value.reshape(())
    elif (1,) * (len(shape) - value.ndim) + value.shape == (1, shape[1], *[1] * (len(shape) - 2)):
        value = value.ravel()
    else:
        return None
    one, zero = np.ones(()), np.zeros(())
    source = str(node.input[1 - places[0]])
    with np.errstate(divide="ignore"):
        found = {
            "Mul": lambda: _Affine(source, value, zero),
            "Div": lambda: _Affine(source, 1.0 / value, zero),
            "Add": lambda: _Affine(source, one, value),
            "Sub": lambda: _Affine(source, one, -value),
        }[node.op_type]()
    return _if_finite(found)


def _of_statistics(graph: Graph, norm: onnx.NodeProto) -> _Affine | None:
    """What a batch norm with constant statistics, as it stands in a trained model, does."""
    given = attributes(norm)
    constant = all(name in graph.weights for name in norm.input[1:5])
    if not constant or given.get("training_mode", 0) or any(norm.output[1:]):
        return None
    scale, shift, mean, variance = (
        to_array(graph.weights[name]).astype(np.float64) for name in norm.input[1:5]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = scale / np.sqrt(variance + given.get("epsilon", 1e-5))
        return _if_finite(_Affine(str(norm.input[0]), factor, shift - mean * factor))


def _if_finite(found: _Affine) -> _Affine | None:
    return found if np.isfinite(found.factor).all() and np.isfinite(found.offset).all() else None


def _layers(graph: Graph, name: str) -> list[onnx.NodeProto]:
    """The layers that read ``name``; none where anything else does."""
    readers = graph.consumers[name]
    alone = all(_is_own_layer(graph, node) and node.input[0] == name for node in readers)
    return readers if alone and name not in graph.outputs else []


def _is_own_layer(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a layer whose weight nothing else reads."""
    if node.op_type not in ("Conv", "Gemm") or node.domain not in ("", "ai.onnx"):
        return False
    if any(name not in graph.weights for name in node.input[1:]):
        return False
    of_channels = all(len(graph.weights[name].dims) == 1 for name in node.input[2:])
    return of_channels and len(graph.consumers[node.input[1]]) == 1


def _pads(layer: onnx.NodeProto) -> bool:
    """Whether ``layer`` may read padding."""
    found = attributes(layer)
    automatic = found.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    return automatic or any(found.get("pads", ()))


def _write(graph: Graph, layer: onnx.NodeProto, weight: Values, bias: Values) -> None:
    """Give ``layer`` a weight, output channels first, and a bias; none where it is zero."""
    stored = graph.as_stored(layer, weight.astype(np.float32))
    graph.replace_weight(layer.input[1], stored)
    if len(layer.input) > 2 or bias.any():
        name = f"{layer.output[0]}_bias"
        while name in graph.weights or name in graph.producer:
            name = f"{name}_"
        layer.input[2:] = [add_constant(graph.model.graph, name, bias.astype(np.float32))]
