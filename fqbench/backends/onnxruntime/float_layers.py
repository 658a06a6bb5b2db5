"""Why layers stay in float that ONNX Runtime could be given in INT8."""

from __future__ import annotations

from fqbench.backends.onnxruntime.plan import Plan, is_product
from fqbench.graph.graph import Graph
from fqbench.graph.ordering import ordering

UNROUNDED = (
    "what it writes is not to be rounded, and only the kernel of a matrix product reads integers"
    " and writes float"
)
ALONE = "what it reads is in float, and rounding that takes the time that it saves"


def float_layers(graph: Graph, plan: Plan) -> dict[str, str]:
    """The layers of ``graph`` that ``plan`` leaves in float though they have ranges, with why."""
    exact = ordering(graph)
    found = {}
    for node in graph.layers():
        ends = node.name in exact or graph.is_linear_head(node)
        if node.op_type != "Conv" or not ends or node.name in plan.integers:
            continue
        found[node.name] = ALONE if is_product(graph, node) else UNROUNDED
    return found
