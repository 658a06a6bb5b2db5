"""Which layers OpenVINO runs in INT8, and which tensors are rounded for which readers.

Its low-precision passes keep integers from a pair on, through operators that only move values, up
to the next layer; and a layer's kernel computes all that follows in float, activation and sum
included, before it writes the codes of the next pair. So one pair stands where values become codes:
behind activations and sums, none between a layer and these, none behind what only moves codes.

Values that may be negative take half of the codes of int8 where negative ones are few, as behind a
SiLU. A zero point takes all codes, but costs dense kernels time: they subtract it place by place,
since it is also what padding consists of. Depthwise kernels hardly lose any. And where no reader
pads, nothing is subtracted at all: the codes stand for values *shifted* to be positive, and what
that adds to a layer's result is a constant of each channel, taken off its bias. What is joined has
a zero point, too, where int8 codes lose their scale so (``joins``).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx

from fqbench.backends.pair_placement import Kernels, leads_on, moved, with_sources
from fqbench.graph.graph import Graph, attributes
from fqbench.graph.ordering import ordering
from fqbench.quantize.affine import Affine
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams, affine_codes, symmetric_codes
from fqbench.quantize.record import Quantization
from fqbench.quantize.roundings import SIGNED_ZERO, Rounding, Roundings
from fqbench.quantize.sharing import shared_scale_groups

ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "HardSwish", "Sigmoid", "Tanh", "Elu", "PRelu")
"""What a kernel computes of its result before it writes it, beside a SiLU."""

AVERAGES = ("GlobalAveragePool", "AveragePool")

STOPPING = ("SpaceToDepth",)
"""Operators that only move values, through which no integers get."""


@dataclass(frozen=True)
class Codes:
    """How a tensor is rounded: ``params``; ``shifted``: whether its codes are read without the
    zero point, as values that are larger by ``shift``."""

    params: QuantParams
    shifted: bool = False

    @property
    def shift(self) -> np.float32:
        """By how much the values are larger that the codes stand for."""
        zero = np.float32(self.params.zero_point if self.shifted else 0)
        return np.float32(self.params.scale * zero)

    @property
    def affine(self) -> Affine:
        """The codes as unsigned ones."""
        zero = self.params.zero_point
        signed = SIGNED_ZERO if zero.dtype == np.int8 else 0
        return Affine(float(self.params.scale), int(zero) + signed)


@dataclass(frozen=True)
class Placement:
    """How a tensor is rounded, and the names of the nodes that read it so."""

    codes: Codes
    readers: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """``layers``: those that run in INT8, by name, each with how its input is rounded.

    ``tensors``: those that become codes. ``shifted``: the tensors that hold shifted values, as
    these do and what is moved from them, each with its shift.
    """

    layers: Mapping[str, Codes]
    tensors: Mapping[str, Placement]
    shifted: Mapping[str, np.float32]


def make_plan(
    model: onnx.ModelProto, quantization: Quantization, *, int8_joins: bool = True
) -> Plan:
    """Choose what runs in INT8. Pure: depends on the arguments only.

    What is moved from layer to layer has one scale, and is rounded where it comes from; what a
    product of two activations reads is rounded where it is read. ``int8_joins``: whether codes
    without a zero point may be joined.
    """
    graph = Graph(model)
    kernels = Kernels.of(graph, graph.layers(), quantization, ACTIVATIONS)
    averaged = averages(graph, kernels.results, quantization.ranges)
    wanted = {*kernels.layers.values(), *kernels.added.values(), *averaged}
    groups = shared_scale_groups(graph, wanted, moved)
    known: dict[frozenset[str], Codes] = {}

    def codes(name: str) -> Codes:
        group = frozenset(groups[name])
        if group not in known:
            ends = _union(quantization.ranges[tied] for tied in group & wanted)
            readers = [n for n in graph.layers() if kernels.layers.get(n.name) in group]
            finer = any(node.name in quantization.zero_points for node in readers)
            finer = finer or (not int8_joins and any(_joins(graph, group)))
            plain = Codes(symmetric_codes(ends))
            known[group] = _codes(graph, ends, group, readers) if finer else plain
        return known[group]

    tensors = with_sources(graph, wanted, STOPPING)
    exact = ordering(graph)
    leading = {n.name for n in model.graph.node if leads_on(graph, n, tensors, STOPPING)}
    found: dict[str, Placement] = {}
    shifted: dict[str, np.float32] = {}
    for name in _origins(graph, tensors):
        readers = kernels.readers(graph, name, exact, leading, whole=name in kernels.results)
        found[name] = Placement(codes(name), readers)
        if found[name].codes.shifted:
            shifted[name] = found[name].codes.shift
    _place_factors(graph, quantization, found)
    for node in model.graph.node:
        carried = [shifted[name] for name in node.input if name in shifted]
        if carried and node.name in leading:
            shifted.update(dict.fromkeys(node.output, carried[0]))
    layers = {layer: codes(name) for layer, name in kernels.layers.items()}
    return Plan(layers, found, shifted)


def _place_factors(graph: Graph, quantization: Quantization, found: dict[str, Placement]) -> None:
    """Add to ``found`` how the factors are rounded of products of two activations."""
    for node in graph.products():
        if node.name in quantization.products:
            for name in node.input:
                own = Placement(Codes(symmetric_codes(quantization.ranges[name])), frozenset())
                placed = found.get(name, own)
                found[name] = replace(placed, readers=placed.readers | {node.name})


def _codes(
    graph: Graph, ends: Range, group: Collection[str], readers: Collection[onnx.NodeProto]
) -> Codes:
    """The codes with a zero point of the tensors of ``group``, read by the layers ``readers``."""
    if ends.low >= 0.0:
        return Codes(symmetric_codes(ends))
    fixed = any(map(_pads, readers)) or _is_fixed(graph, group)
    return Codes(affine_codes(ends), shifted=not fixed)


def _pads(layer: onnx.NodeProto) -> bool:
    """Whether ``layer`` may read padding, which is zero and not shifted."""
    found = attributes(layer)
    automatic = found.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    return automatic or any(found.get("pads", ()))


def zero_points(model: onnx.ModelProto, quantization: Quantization) -> list[frozenset[str]]:
    """The sets of layers that may read codes with a zero point, see ``Variants.zero_points``.

    First those that depthwise kernels read, then those that nothing is subtracted of, then all.
    """
    graph = Graph(model)
    every = {
        node.name: node for node in graph.layers() if node.name not in quantization.float_layers
    }
    plan = make_plan(model, replace(quantization, zero_points=tuple(every)))
    having = {name: codes for name, codes in plan.layers.items() if codes.params.zero_point > 0}
    depthwise = frozenset(name for name in having if graph.is_depthwise(every[name]))
    shifted = frozenset(name for name, codes in having.items() if codes.shifted)
    sets = [depthwise, depthwise | shifted, frozenset(having)]
    return [layers for layers in dict.fromkeys(sets) if layers]


def _is_fixed(graph: Graph, group: Collection[str]) -> bool:
    """Whether some of ``group`` cannot hold shifted values: outputs, and what joins constants."""
    joined = (name for node in _joins(graph, group) for name in node.input)
    constant = any(name in graph.weights for name in joined)
    return constant or not set(graph.outputs).isdisjoint(group)


def _joins(graph: Graph, group: Collection[str]) -> Iterator[onnx.NodeProto]:
    """The concatenations that write one of ``group``."""
    for name in group:
        node = graph.producer.get(name)
        if node is not None and node.op_type == "Concat":
            yield node


def codes_of(ends: Range) -> QuantParams:
    """How a tensor of these values is rounded, whoever reads it."""
    return affine_codes(ends) if ends.low < 0.0 else symmetric_codes(ends)


def roundings(model: onnx.ModelProto, quantization: Quantization, *, float_silu: bool) -> Roundings:
    """Where a student rounds; see ``fqbench.quantize.roundings.FindRoundings``."""
    plan = make_plan(model, quantization)
    found = [
        Rounding(name, placement.codes.affine, placement.readers)
        for name, placement in sorted(plan.tensors.items())
    ]
    return Roundings(tuple(found), frozenset(plan.layers))


def averages(graph: Graph, results: Iterable[str], ranges: Container[str]) -> list[str]:
    """Those of ``results`` that are only averaged: codes are written and read in less time."""
    return [
        name
        for name in results
        if name in ranges
        and name not in graph.outputs
        and (readers := graph.consumers[name])
        and all(node.op_type in AVERAGES for node in readers)
    ]


def _origins(graph: Graph, tensors: Collection[str]) -> Iterator[str]:
    """Those of ``tensors`` that no operator only moved there, in the graph's order."""
    yield from (name for name in graph.inputs if name in tensors)
    for name, node in graph.producer.items():
        if name in tensors and not moved(graph, node, STOPPING):
            yield name


def _union(ranges: Iterable[Range]) -> Range:
    """The least range that holds all of ``ranges``."""
    lows, highs, largest = zip(*((ends.low, ends.high, ends.amax) for ends in ranges), strict=True)
    return Range(min(lows), max(highs), max(largest))
