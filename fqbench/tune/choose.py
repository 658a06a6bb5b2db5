"""Which layers one backend runs in float: what they would cost, what they would earn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import onnx

from fqbench.lower import tensorrt
from fqbench.lower.onnxruntime import lower
from fqbench.lower.pairs import affine_codes, int8_codes, symmetric_codes
from fqbench.lower.symmetric import symmetric
from fqbench.lower.tensorrt_plan import unsuited
from fqbench.quantize.graph import Graph
from fqbench.quantize.observe import Feed
from fqbench.quantize.record import Quantization
from fqbench.tune import paddle_speed
from fqbench.tune.choice import ACCURACY, SPEED, Choice, LayerCost
from fqbench.tune.error import raw_outputs
from fqbench.tune.local import local_errors
from fqbench.tune.search import (
    Judge,
    OnStep,
    OutputsJudge,
    Remembering,
    Variant,
    fewest,
    needed,
    sensitivities,
    widest,
)
from fqbench.tune.speed import latencies, layer_times

LOCAL_IMAGES = 2
"""Images that each layer's own error is measured on."""
TRIED = 16
"""Layers, the worst by their own error, of which the error of the whole is measured too."""
IN_INTEGERS, IN_FLOAT = "SiLU in integers", "SiLU in float"
AS_QUANTIZED = "as quantized"
CODES = {"onnxruntime": affine_codes, "paddle": symmetric_codes, "tensorrt": int8_codes}
"""How each backend rounds a tensor of a range."""
GAIN = 0.98
"""A form must take less of the time than this to be preferred: less is noise."""


@dataclass(frozen=True)
class Wish:
    """``limit``: largest relative squared error of the raw outputs, None for any.

    ``threads`` are those of the runtime whose speed counts; None: speed does not.
    """

    limit: float | None
    threads: int | None


def choose(
    backend: str,
    model: onnx.ModelProto,
    quantization: Quantization,
    feeds: Sequence[Feed],
    wish: Wish,
    on_step: OnStep,
    judge: Judge | None = None,
) -> Choice:
    """Decide for ``backend`` which layers of the quantized ``model`` stay in float.

    ``judge``: tells errors; None for one by the raw outputs of ``model``.
    """
    graph = Graph(model)
    fixed = {**(unsuited(graph) if backend == "tensorrt" else {}), **quantization.float_layers}
    integers = backend == "onnxruntime"
    forms: dict[str, float] = {}
    float_silu = integers and any(map(graph.is_silu, model.graph.node))
    if float_silu and wish.threads is not None:
        forms = _silu_forms(model, quantization, feeds[0], wish.threads)
        float_silu = forms[IN_FLOAT] <= forms[IN_INTEGERS]
    judge = Remembering(judge or OutputsJudge.of(model, raw_outputs(graph), feeds))
    form = partial(variant_of, backend, model, float_silu=float_silu)
    layers = [node.name for node in graph.layers() if node.name not in fixed]
    own = local_errors(
        model,
        quantization,
        layers,
        feeds[:LOCAL_IMAGES],
        CODES[backend],
        results=integers,
    )
    variant = form(quantization)
    times: tuple[dict[str, float], dict[str, float]] = ({}, {})
    if integers and wish.threads is not None:
        times = (
            layer_times(model, graph, feeds[0], wish.threads),
            layer_times(variant(()), graph, feeds[0], wish.threads),
        )
    costs: dict[str, float] = {}
    chosen: tuple[str, ...] = ()
    if wish.limit is not None and judge.error(variant(())) > wish.limit:
        order = sorted(layers, key=lambda name: -own[name])
        costs = sensitivities(variant, layers, order[:TRIED], judge, on_step)
        worst = sorted(costs, key=lambda name: -costs[name] / _earned(name, times))
        chosen, _ = fewest(variant, [*worst, *order[TRIED:]], judge, wish.limit)
    # Only now: beside the errors of layers that stay in float, ranges tell nothing.
    wide = widest(
        judge,
        lambda tensors: form(quantization.widened(tensors))(chosen),
        _with_two_ranges(graph, quantization),
    )
    variant = form(quantization.widened(wide))
    if chosen and wish.limit is not None:
        chosen = needed(variant, chosen, judge, wish.limit)
    kept = {**fixed, **dict.fromkeys(chosen, ACCURACY)}
    before, after = judge.error(variant(())), judge.error(variant(kept))
    tried = {text: {*kept, *more} for text, more in _forms(graph, times).items()}
    if wish.threads is not None and len(tried) > 1:
        widened = quantization.widened(wide)
        timed = _timed(backend, model, widened, variant, tried, feeds[0], wish.threads)
        forms.update(timed)
        faster = tried[_fastest(timed)] - kept.keys()
        if faster:
            kept.update(dict.fromkeys(faster, SPEED))
            after = judge.error(variant(kept))
    found = tuple(
        LayerCost(name, own[name], costs.get(name), times[0].get(name), times[1].get(name))
        for name in layers
    )
    return Choice(kept, float_silu, wide, before, after, found, forms)


def _with_two_ranges(graph: Graph, quantization: Quantization) -> list[str]:
    """The tensors, in the graph's order, whose wide range is another one."""
    written = [name for node in graph.model.graph.node for name in node.output]
    ranges, wide = quantization.ranges, quantization.wide
    return [
        name
        for name in (*graph.inputs, *written)
        if name in ranges and name in wide and wide[name] != ranges[name]
    ]


def _earned(layer: str, times: tuple[Mapping[str, float], Mapping[str, float]]) -> float:
    """Milliseconds that INT8 saves in ``layer``; a microsecond at least, 1 where it is unknown."""
    fp32, int8 = times
    if layer not in fp32 or layer not in int8:
        return 1.0
    return max(fp32[layer] - int8[layer], 0.001)


def keeping(quantization: Quantization, layers: Collection[str]) -> Quantization:
    """The record with ``layers`` in float, too."""
    kept = {**quantization.float_layers, **dict.fromkeys(layers, "")}
    return replace(quantization, float_layers=kept)


def _silu_forms(
    model: onnx.ModelProto, quantization: Quantization, feed: Feed, threads: int
) -> dict[str, float]:
    """Milliseconds of the graph with its SiLUs in integers, and with them in float."""
    forms = {IN_INTEGERS: False, IN_FLOAT: True}
    return latencies(
        {text: lower(model, quantization, float_silu=form) for text, form in forms.items()},
        feed,
        threads,
    )


def variant_of(
    backend: str, model: onnx.ModelProto, quantization: Quantization, float_silu: bool
) -> Variant:
    """Graphs that round as ``backend`` does, with more layers in float than the record's."""

    def of_onnxruntime(layers: Collection[str]) -> onnx.ModelProto:
        return lower(model, keeping(quantization, layers), float_silu=float_silu)

    def of_paddle(layers: Collection[str]) -> onnx.ModelProto:
        return symmetric(model, keeping(quantization, layers))

    def of_tensorrt(layers: Collection[str]) -> onnx.ModelProto:
        return tensorrt.lower(model, keeping(quantization, layers))

    forms = {"onnxruntime": of_onnxruntime, "paddle": of_paddle, "tensorrt": of_tensorrt}
    return forms[backend]


def _forms(
    graph: Graph, times: tuple[Mapping[str, float], Mapping[str, float]]
) -> dict[str, frozenset[str]]:
    """Forms that may be the fastest: further layers in float, by what is said of them.

    ``times`` of layers in FP32 and in INT8, as far as they are known.
    """
    fp32, int8 = times
    depthwise = frozenset(node.name for node in graph.layers() if graph.is_depthwise(node))
    slower = frozenset(name for name in int8 if int8[name] > fp32.get(name, int8[name]))
    tried = {
        AS_QUANTIZED: frozenset[str](),
        "depthwise layers in float": depthwise,
        "layers with slower integer kernels in float": slower,
        "both of these in float": depthwise | slower if slower else slower,
    }
    return {text: more for text, more in tried.items() if more or text == AS_QUANTIZED}


def _timed(
    backend: str,
    model: onnx.ModelProto,
    quantization: Quantization,
    variant: Variant,
    tried: Mapping[str, Collection[str]],
    feed: Feed,
    threads: int,
) -> dict[str, float]:
    """Milliseconds of each form on ``backend``; ``tried``: its layers in float."""
    if backend == "onnxruntime":
        graphs = {text: variant(kept) for text, kept in tried.items()}
        return latencies(graphs, feed, threads)
    records = {text: keeping(quantization, kept) for text, kept in tried.items()}
    return paddle_speed.latencies(model, records, feed, threads)


def _fastest(forms: Mapping[str, float]) -> str:
    """The form that takes the least time; that without further layers unless it is beaten."""
    best = min(forms, key=lambda text: forms[text])
    return best if forms[best] <= GAIN * forms[AS_QUANTIZED] else AS_QUANTIZED
