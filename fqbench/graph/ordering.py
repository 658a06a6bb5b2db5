"""Which operators of a graph decide an index or an order."""

from __future__ import annotations

from fqbench.graph.graph import WEIGHTED, Graph

ORDERING = frozenset(
    {"ArgMax", "ArgMin", "Hardmax", "NonMaxSuppression", "NonZero", "TopK", "Unique"}
)
"""Operators whose answer is an index or an order.

Eight bits make equals of values that differ: whichever comes first wins, as the first query of a
DETR among all that have its code.
"""


def ordering(graph: Graph) -> frozenset[str]:
    """Names of the nodes that an index or an order depends on through no layer behind them.

    These are the operators of ``ORDERING``, what computes the values that they read, and the layers
    that this begins with: what such layers write is not to be rounded, nor what others of these
    nodes read.
    """
    pending = [node for node in graph.model.graph.node if node.op_type in ORDERING]
    found = {node.name for node in pending}
    while pending:
        node = pending.pop()
        if node.op_type in WEIGHTED:
            continue
        for name in node.input:
            producer = graph.producer.get(name)
            if producer is not None and producer.name not in found:
                found.add(producer.name)
                pending.append(producer)
    return frozenset(found)
