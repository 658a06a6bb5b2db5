"""Which layers TensorRT runs in INT8, and which tensors carry a pair for which readers.

TensorRT fuses what it finds: a convolution whose input and weight come out of pairs runs in
integers, and writes integers where a pair follows it, its activation or the sum behind it. What
is placed here is what NVIDIA's documentation of explicit quantization asks for, and the layers
that NVIDIA's own quantizer of ONNX files (Model Optimizer) leaves out stay in float.
"""

from __future__ import annotations

import onnx

from fqbench.backends.pair_placement import Kernels, leads_on, moved, with_sources
from fqbench.graph.graph import Graph, attributes
from fqbench.graph.ordering import ordering
from fqbench.quantize.pairs import QdqPlacement, int8_codes
from fqbench.quantize.record import Quantization
from fqbench.quantize.roundings import Roundings, without_zero_points
from fqbench.quantize.sharing import shared_scale_groups

ONE_ROW = "it multiplies a single row, which integer kernels make no faster"
FEW_CHANNELS = "TensorRT has no integer kernel for so few channels"

CHANNELS = 16
"""Integer kernels on tensor cores multiply so many channels at once."""

PART = 8
"""The kernels for fewer channels take multiples of this."""

ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "HardSwish", "Sigmoid", "Tanh", "Elu")
"""What a kernel computes of its result before it writes it, beside a SiLU."""


def unsuited(graph: Graph) -> dict[str, str]:
    """The layers (by name) that TensorRT runs no faster in INT8, each with why.

    Dense convolutions of any kernel want 16 channels on both sides. With fewer on one side, or as
    the first layer, a multiple of 8 on either side and a square kernel will do; depthwise and
    grouped convolutions want a multiple of 8 and a kernel of 3 or more.
    """
    found = {}
    for layer in graph.layers():
        if _rows(graph, layer) == 1:
            found[layer.name] = ONE_ROW
        elif not _wide(graph, layer):
            found[layer.name] = FEW_CHANNELS
    return found


def _rows(graph: Graph, layer: onnx.NodeProto) -> int | None:
    """Rows of the matrix that a layer multiplies: places of a convolution; None if not known."""
    shape = graph.shape(layer.output[0])
    if shape is None:
        return None
    rows = shape[0]
    for size in shape[2:]:
        rows *= size
    return rows


def _wide(graph: Graph, layer: onnx.NodeProto) -> bool:
    """Whether there is an integer kernel for as many channels as ``layer`` has."""
    outputs, inputs, *kernel = graph.weight(layer).shape
    if outputs >= CHANNELS and inputs >= CHANNELS:
        return True
    if layer.op_type == "Gemm":
        return False
    if attributes(layer).get("group", 1) > 1:
        return bool(outputs % PART == 0 and min(kernel) >= 3)
    first = layer.input[0] in graph.inputs
    return bool(
        (outputs % PART == 0 or inputs % PART == 0)
        and (first or outputs >= CHANNELS or inputs >= CHANNELS)
        and len(set(kernel)) == 1
    )


def rounded_tensors(
    model: onnx.ModelProto, quantization: Quantization
) -> tuple[frozenset[str], dict[str, QdqPlacement]]:
    """The layers of ``model`` that TensorRT runs in INT8, and the tensors that it rounds.

    What operators move from layer to layer has one scale: codes are never rounded again.
    """
    graph = Graph(model)
    left = unsuited(graph)
    candidates = [node for node in graph.layers() if node.name not in left]
    kernels = Kernels.of(graph, candidates, quantization, ACTIVATIONS)
    wanted = {*kernels.layers.values(), *kernels.added.values()}
    groups = shared_scale_groups(graph, wanted, moved)
    tensors = with_sources(graph, wanted)
    exact = ordering(graph)
    leading = {node.name for node in model.graph.node if leads_on(graph, node, tensors)}
    found = {}
    for name in tensors:
        producer = graph.producer.get(name)
        whole = name in kernels.results or (producer is not None and bool(moved(graph, producer)))
        readers = kernels.readers(graph, name, exact, leading, whole=whole)
        widest = max(
            (quantization.ranges[tied] for tied in groups[name] & wanted), key=lambda r: r.amax
        )
        found[name] = QdqPlacement(int8_codes(widest), readers)
    return frozenset(kernels.layers), found


def roundings(model: onnx.ModelProto, quantization: Quantization, *, float_silu: bool) -> Roundings:
    """Where a student rounds; see ``fqbench.quantize.roundings.FindRoundings``."""
    return without_zero_points(*rounded_tensors(model, quantization))
