"""The float16 form of an ONNX graph, as strongly typed networks of TensorRT want it.

ONNX Runtime's own converter (``onnxruntime.transformers.float16``) does not do: it puts casts
between a DequantizeLinear and a convolution that stays in float32, where TensorRT then finds no
pair to fuse; it leaves the opset, whose QuantizeLinear may know no float16; and it cuts constants
off at the ends of float16 without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter

from fqbench.errors import StepError
from fqbench.graph.checking import check
from fqbench.graph.executor import Feed, InstrumentedModel
from fqbench.graph.graph import WEIGHTED, Graph, replace_items

FLOAT, HALF = int(onnx.TensorProto.FLOAT), int(onnx.TensorProto.FLOAT16)

OPSET = 19
"""First opset in which pairs take float16."""

LARGEST, SMALLEST = 65504.0, 2.0**-14
"""Of float16, the smallest that has all its bits."""

HEADROOM = 4.0
"""How many times as large as on the images that were looked at a tensor may get."""

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
ALWAYS_FLOAT = {"Resize": (1, 2)}
"""Inputs, by their place, that are float32 whatever the data is."""
BOUNDS = ("Clip",)
"""Operators whose constants may be cut off at the ends of float16: they bound."""


def large_tensors(model: onnx.ModelProto, feeds: Iterable[Feed]) -> frozenset[str]:
    """Tensors of ``model`` that came too near to the end of float16 in one of ``feeds``."""
    watched, found = InstrumentedModel(model), set[str]()
    for feed in feeds:
        for name, values in watched.run(feed).items():
            if values.size and not np.abs(values).max() <= LARGEST / HEADROOM:
                found.add(name)
    return frozenset(found)


def as_float16(model: onnx.ModelProto, feeds: Sequence[Feed]) -> onnx.ModelProto:
    """Return ``model`` in float16, but for what came near to its end in one of ``feeds``."""
    return half(model, large_tensors(model, feeds))


def half(model: onnx.ModelProto, large: Iterable[str] = ()) -> onnx.ModelProto:
    """Return ``model`` in float16; its inputs and outputs stay float32.

    In float32 are operators that read or write one of the tensors ``large``, those with constants
    or scales that float16 does not hold, and what decodes the results of the last layers: a
    coordinate needs more than 11 bits. Raises StepError for operators that hold graphs.
    """
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise StepError(
                f"the operator {node.op_type} ({node.name}) holds a graph of its own, which has no"
                " float16 form: export the model without loops and conditions"
            )
    typed = onnx.shape_inference.infer_shapes(_with_opset(model))
    return _Writer(typed, float_nodes(Graph(typed), large)).write()


def _with_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` in an opset whose pairs, if there are any, take float16."""
    pairs = any(node.op_type == DEQUANTIZE for node in model.graph.node)
    opset = next(known.version for known in model.opset_import if known.domain in ("", "ai.onnx"))
    return version_converter.convert_version(model, OPSET) if pairs and opset < OPSET else model


def float_nodes(graph: Graph, large: Iterable[str] = ()) -> frozenset[str]:
    """The nodes, each by its first output, that stay in float32; pairs follow their neighbours."""
    wide = _with_pairs(graph, large)
    found = set(_tail(graph))
    for node in graph.model.graph.node:
        if node.op_type in (QUANTIZE, DEQUANTIZE):
            continue
        fit = all(map(_fits, _constants(graph, node)))
        exact = all(_exact(graph, graph.producer[n]) for n in node.input if n in graph.producer)
        if not (fit and exact and wide.isdisjoint((*node.input, *node.output))):
            found.add(node.output[0])
    return frozenset(found)


def _tail(graph: Graph) -> set[str]:
    """All that is computed from the raw results of the last layers."""
    heads = [
        node
        for node in graph.model.graph.node
        if node.op_type in WEIGHTED and graph.is_linear_head(node)
    ]
    pending = [name for head in heads for name in head.output]
    found: set[str] = set()
    while pending:
        for reader in graph.consumers[pending.pop()]:
            if reader.output[0] not in found:
                found.add(reader.output[0])
                pending.extend(reader.output)
    return found


def _with_pairs(graph: Graph, large: Iterable[str]) -> set[str]:
    """``large``, the tensors rounded in a scale that float16 lacks, and both sides of the pairs."""
    found = set(large)
    for node in graph.model.graph.node:
        source = graph.producer.get(node.input[0]) if node.op_type == DEQUANTIZE else None
        if source is not None and source.op_type == QUANTIZE:
            ends = (source.input[0], node.output[0])
            if not (_exact(graph, source) and _exact(graph, node) and found.isdisjoint(ends)):
                found.update(ends)
    return found


def _exact(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether float16 holds the scales of a pair's ``node``, if it is one."""
    if node.op_type not in (QUANTIZE, DEQUANTIZE):
        return True
    scales = numpy_helper.to_array(graph.weights[node.input[1]])
    with np.errstate(over="ignore"):
        return bool((scales.astype(np.float16) == scales).all())


def _constants(graph: Graph, node: onnx.NodeProto) -> Iterator[NDArray[np.float32]]:
    """The float constants that ``node`` would read in float16."""
    for place, name in enumerate(node.input):
        tensor = graph.weights.get(name)
        kept = node.op_type in BOUNDS or place in ALWAYS_FLOAT.get(node.op_type, ())
        if tensor is not None and tensor.data_type == FLOAT and not kept:
            yield numpy_helper.to_array(tensor)


def _fits(values: NDArray[np.float32]) -> bool:
    """Whether float16 holds the largest of ``values``; the small beside it may be lost."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest == 0.0 or SMALLEST <= largest <= LARGEST


class _Writer:
    """Writes a graph of float32 anew, most of its nodes in float16."""

    def __init__(self, model: onnx.ModelProto, floats: frozenset[str]) -> None:
        self._graph, self._floats = Graph(model), floats
        graph = model.graph
        self._types = {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._forms: dict[str, dict[int, str]] = {
            name: {FLOAT: name} for name in self._graph.inputs if self._types[name] == FLOAT
        }
        """Of each float tensor its forms: names by type, the one that was computed first."""

    def write(self) -> onnx.ModelProto:
        result = deepcopy(self._graph.model)
        for node in self._graph.model.graph.node:
            if node.op_type == DEQUANTIZE:
                self._dequantize(node)
            elif node.op_type == QUANTIZE:
                self._quantize(node)
            else:
                self._node(node)
        for name in self._graph.outputs:
            if name in self._forms and name not in self._forms[name].values():
                self._cast(next(iter(self._forms[name].values())), name, FLOAT)
        replace_items(result.graph.node, self._nodes)
        replace_items(result.graph.initializer, self._constants.values())
        # Shapes stay true, types do not.
        del result.graph.value_info[:]
        check(result)
        return result

    def _type(self, node: onnx.NodeProto) -> int:
        return FLOAT if node.output[0] in self._floats else HALF

    def _node(self, node: onnx.NodeProto) -> None:
        kind, written = self._type(node), deepcopy(node)
        always = ALWAYS_FLOAT.get(node.op_type, ())
        for place, name in enumerate(node.input):
            written.input[place] = self._read(name, FLOAT if place in always else kind)
        for place, name in enumerate(node.output):
            if name and self._is_float(name):
                written.output[place] = self._form(name, kind)
        for attribute in written.attribute:
            if attribute.name == "to" and node.op_type == "Cast" and attribute.i == FLOAT:
                attribute.i = kind
            elif attribute.HasField("t") and attribute.t.data_type == FLOAT:
                attribute.t.CopyFrom(_as(attribute.t, kind, attribute.t.name))
        self._nodes.append(written)

    def _quantize(self, node: onnx.NodeProto) -> None:
        """A QuantizeLinear takes what was computed as it is."""
        kind, source = next(iter(self._forms[node.input[0]].items()))
        written, zero_points = deepcopy(node), map(self._kept, node.input[2:])
        written.input[:] = [source, self._read(node.input[1], kind), *zero_points]
        self._nodes.append(written)

    def _dequantize(self, node: onnx.NodeProto) -> None:
        """A DequantizeLinear for each type that something reads: no cast parts it from that."""
        (name,) = node.output
        readers = self._graph.consumers[name]
        kinds = {self._type(reader) for reader in readers if reader.op_type != QUANTIZE}
        for kind in sorted(kinds or {HALF}):
            written = deepcopy(node)
            written.name = node.name if kind == HALF or len(kinds) < 2 else f"{node.name}__float"
            zero_points = map(self._kept, node.input[2:])
            scale = self._read(node.input[1], kind)
            written.input[:] = [self._kept(node.input[0]), scale, *zero_points]
            written.output[0] = self._form(name, kind)
            self._nodes.append(written)

    def _form(self, name: str, kind: int) -> str:
        """The name of tensor ``name`` computed in type ``kind``."""
        forms = self._forms.setdefault(name, {})
        taken = bool(forms) or (kind == HALF and name in self._graph.outputs)
        forms[kind] = f"{name}__{'half' if kind == HALF else 'float'}" if taken else name
        return forms[kind]

    def _read(self, name: str, kind: int) -> str:
        """The name of what stands for ``name`` in type ``kind``, if it is a float tensor."""
        tensor = self._graph.weights.get(name)
        if tensor is not None:
            if tensor.data_type != FLOAT or kind == FLOAT:
                return self._kept(name)
            target = f"{name}__half"
            self._constants[target] = _as(tensor, HALF, target)
            return target
        if name not in self._forms:
            return name
        forms = self._forms[name]
        if kind not in forms:
            source = next(iter(forms.values()))
            self._cast(source, self._form(name, kind), kind)
        return forms[kind]

    def _kept(self, name: str) -> str:
        """``name``; where it is a constant's, that is kept as it is."""
        if name in self._graph.weights:
            self._constants[name] = self._graph.weights[name]
        return name

    def _cast(self, source: str, target: str, kind: int) -> None:
        node = helper.make_node("Cast", [source], [target], f"{target}__cast", to=kind)
        self._nodes.append(node)

    def _is_float(self, name: str) -> bool:
        if name not in self._types:
            raise StepError(
                f"the type of the tensor {name} is not known, so there is no float16 form: export"
                " the model with operators of ONNX only"
            )
        return bool(self._types[name] == FLOAT)


def _as(tensor: onnx.TensorProto, kind: int, name: str) -> onnx.TensorProto:
    """A float32 ``tensor`` in type ``kind``, cut off at the ends of float16."""
    values = numpy_helper.to_array(tensor)
    if kind == HALF:
        values = np.clip(values, -LARGEST, LARGEST).astype(np.float16)
    return numpy_helper.from_array(values, name)
