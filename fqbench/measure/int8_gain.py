"""Where INT8 saves time against FP32 of the same backend, and where it gains nothing.

By the runtime's own profile of both, node by node. A profile takes time itself, so its sums are
somewhat more than a latency; what is read from it are shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from fqbench.backends import backend
from fqbench.backends.node_times import NodeTime, TimeNodes
from fqbench.backends.record import resolve
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.measure.messages import NodeTiming
from fqbench.vision.image import read_image

FASTER = 0.95
"""A layer is faster in INT8 where it takes less than this part of FP32's time: less is noise."""


@dataclass(frozen=True)
class Part:
    """Nodes of one kind: how many of FP32's, and milliseconds of an inference in FP32 and INT8.

    Of what FP32 does not have at all, ``count`` is that of INT8.
    """

    count: int = 0
    fp32_ms: float = 0.0
    int8_ms: float = 0.0

    def __add__(self, other: Part) -> Part:
        return Part(
            self.count + other.count,
            self.fp32_ms + other.fp32_ms,
            self.int8_ms + other.int8_ms,
        )


@dataclass(frozen=True)
class Int8Gain:
    """All nodes of a model, by what INT8 does to their time.

    Layers that are ``faster`` in integers; ``depthwise`` ones that are not; ``no_faster``: others
    that are not; ``in_float``: layers that compute in float in INT8, too. ``operators`` are no
    layers; ``conversions`` change how values are represented or lie in memory.
    """

    faster: Part
    depthwise: Part
    no_faster: Part
    in_float: Part
    operators: Part
    conversions: Part

    @property
    def total(self) -> Part:
        """All of it."""
        layers = self.faster + self.depthwise + self.no_faster + self.in_float
        return layers + self.operators + self.conversions


def int8_gain(fp32: Sequence[NodeTime], int8: Sequence[NodeTime]) -> Int8Gain:
    """The nodes of ``fp32`` and ``int8``, two forms of one model, by what INT8 does to them.

    Layers whose counterpart is not known are compared with all others of that kind.
    """
    parts = dict.fromkeys(Int8Gain.__dataclass_fields__, Part())
    first, second = _layers(fp32), _layers(int8)
    paired = [name for name in first if name in second and name is not None]
    pairs = [(first.pop(name), second.pop(name)) for name in paired]
    left = [[node for nodes in each.values() for node in nodes] for each in (first, second)]
    if any(left):
        pairs.append((left[0], left[1]))
    for before, after in pairs:
        parts[_kind(before, after)] += Part(len(before) or len(after), _sum(before), _sum(after))
    for kind, role in (("operators", "operator"), ("conversions", "conversion")):
        before, after = ([n for n in nodes if n.role == role] for nodes in (fp32, int8))
        parts[kind] = Part(len(before) or len(after), _sum(before), _sum(after))
    return Int8Gain(**parts)


def _layers(nodes: Sequence[NodeTime]) -> dict[str | None, list[NodeTime]]:
    """Layers by their names; those without one stand together."""
    found: dict[str | None, list[NodeTime]] = {}
    for node in nodes:
        if node.role == "layer":
            found.setdefault(node.layer, []).append(node)
    return found


def _kind(before: Sequence[NodeTime], after: Sequence[NodeTime]) -> str:
    """Which part of ``Int8Gain`` layers are, that were ``before`` and are ``after``."""
    if not any(node.integers for node in after):
        return "in_float"
    if _sum(after) < FASTER * _sum(before):
        return "faster"
    return "depthwise" if all(node.depthwise for node in before) else "no_faster"


def _sum(nodes: Sequence[NodeTime]) -> float:
    return sum(node.ms for node in nodes)


def time_nodes(arguments: Mapping[str, Json], report: Report) -> list[dict[str, Json]]:
    """The ``NodeTime`` of each node of what ``arguments``, a ``NodeTiming``, says, as JSON.

    Runs in a child process. Raises StepError where the backend has no profile.
    """
    import onnx

    from fqbench.graph.graph import Graph

    asked = NodeTiming.model_validate(arguments)
    known = backend(asked.cell.backend)
    if known.time_nodes is None:
        raise StepError(f"{known.label} does not report how long nodes take")
    take: TimeNodes = resolve(known.time_nodes)
    found = take(
        asked.cell.artifact,
        Graph(onnx.load(str(asked.canonical))),
        asked.cell.feed(read_image(asked.image)),
        precision=asked.cell.precision,
        threads=asked.threads,
    )
    return [asdict(node) for node in found]
