"""Whole forms of a model, of which the fastest is taken: which further layers are in float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from fqbench.backends.variants import Times
from fqbench.graph.graph import Graph
from fqbench.tune.speed import Rounds, is_faster

AS_QUANTIZED = "as quantized"
MAX_TIME_RATIO = 0.98
"""A form must take less of the time than this to be preferred: less is noise."""


def candidate_forms(graph: Graph, times: tuple[Times, Times]) -> dict[str, frozenset[str]]:
    """Forms that may be the fastest: further layers in float, by a description of them.

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
    # Forms of the same layers are one.
    distinct: dict[frozenset[str], str] = {}
    for text, more in tried.items():
        distinct.setdefault(more, text)
    return {text: more for more, text in distinct.items() if more or text == AS_QUANTIZED}


def saved_ms(times: tuple[Times, Times], layers: Iterable[str]) -> dict[str, float]:
    """Milliseconds that INT8 saves in each of ``layers``; a microsecond at least.

    ``times`` as of ``candidate_forms``. Where it is unknown, what it saves in the median layer; 1
    where it is unknown of all.
    """
    fp32, int8 = times
    saved = {name: max(fp32[name] - int8[name], 0.001) for name in fp32.keys() & int8.keys()}
    known = sorted(saved.values())
    typical = known[len(known) // 2] if known else 1.0
    return {name: saved.get(name, typical) for name in layers}


def fastest_form(timed: Mapping[str, Rounds]) -> str:
    """The form that takes the least time; the one as quantized unless it is clearly beaten."""
    best = min(timed, key=lambda text: median(timed[text]))
    return best if is_faster(timed[best], timed[AS_QUANTIZED], MAX_TIME_RATIO) else AS_QUANTIZED
