"""How much each element of a detector's raw outputs counts, by the teacher's confidence in it.

Raw outputs are not decoded, and the operators following them belong to the model: so nothing is
assumed about them. A change of one element of a raw output shows in one row of the decoded outputs,
whose scores, by the spec, are the teacher's confidence in that row.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.graph.executor import open_session, session_options
from fqbench.graph.graph import Graph, replace_items
from fqbench.hardware import usable_cores
from fqbench.tasks.record import DecoderSettings, RowScores
from fqbench.tasks.registry import decoder_of

Array = NDArray[np.float32]
Numbers = NDArray[np.int64]

MIN_WEIGHT = 0.01
"""Weight of background: the student must not begin to see objects there."""

NONE = -1


@dataclass(frozen=True)
class ElementWeights:
    """``outputs``: names of the decoded outputs. ``rows``: of each raw output [1, channels, ...]
    the row [channels, ...] of the decoded outputs that each element ends in, or ``NONE``."""

    scores: RowScores
    outputs: tuple[str, ...]
    rows: tuple[Numbers, ...]

    @staticmethod
    def of(
        model: onnx.ModelProto, raw: Sequence[str], decode: DecoderSettings
    ) -> ElementWeights | None:
        """Weights for ``raw``, tensors of ``model``; None where they lead to no known rows."""
        graph, scores = Graph(model), decoder_of(decode).rows
        if scores is None or not set(raw).isdisjoint(graph.outputs):
            return None
        shapes = [graph.shape(name) or () for name in raw]
        if any(len(shape) != 4 for shape in shapes):
            return None
        tail = _Tail(model, raw)
        start = tail.run([np.zeros(shape, np.float32) for shape in shapes])
        axes = scores.axes([output.shape for output in start])
        if axes is None:
            return None
        rows = _rows(tail, shapes, axes)
        if not any((found > NONE).any() for found in rows):
            return None
        return ElementWeights(scores, tuple(graph.outputs), rows)

    def confidences(self, outputs: Sequence[Array]) -> Array:
        """The best score [rows] of each row of the decoded ``outputs`` of one image, 0 to 1."""
        return np.asarray(np.clip(self.scores.scores(outputs), 0.0, 1.0), np.float32)

    def weights(self, confidences: Array) -> list[Array]:
        """Weights of all elements of the raw outputs, by ``confidences`` [images, rows]."""
        nothing = np.zeros((len(confidences), 1), np.float32)
        known = np.concatenate([confidences, nothing], axis=1) + np.float32(MIN_WEIGHT)
        return [known[:, rows] for rows in self.rows]


class _Tail:
    """The operators following the raw outputs."""

    def __init__(self, model: onnx.ModelProto, raw: Sequence[str]) -> None:
        graph = Graph(model)
        needed, nodes = set(graph.outputs), []
        for node in reversed(model.graph.node):
            if not needed.isdisjoint(node.output) and set(raw).isdisjoint(node.output):
                needed.update(node.input)
                nodes.append(node)
        part = deepcopy(model)
        replace_items(part.graph.node, reversed(nodes))
        kept = [value for value in model.graph.input if value.name in needed - {*graph.weights}]
        replace_items(part.graph.input, kept)
        for name in raw:
            shape = graph.shape(name)
            value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            part.graph.input.append(value)
        self._others = {v.name: np.ones(graph.shape(v.name) or (), np.float32) for v in kept}
        self._raw = tuple(raw)
        self._session = open_session(part.SerializeToString(), session_options(usable_cores()))

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The decoded outputs of raw outputs of these ``values``."""
        found: list[Array] = self._session.run(
            None, {**self._others, **dict(zip(self._raw, values, strict=True))}
        )
        return found


def _rows(
    tail: _Tail, shapes: Sequence[tuple[int, ...]], axes: Sequence[int]
) -> tuple[Numbers, ...]:
    """The row of each element of the raw outputs.

    Several channels may form one number, as in the distributions of PP-YOLOE's sides: these all
    count as their position does.
    """
    sizes = [shape[2] * shape[3] for shape in shapes]
    ends = np.cumsum(sizes)
    places = [
        np.broadcast_to(np.arange(end - size, end).reshape(shape[2:]), shape)
        for size, end, shape in zip(sizes, ends, shapes, strict=True)
    ]
    channels = [
        np.broadcast_to(np.arange(shape[1]).reshape(1, -1, 1, 1), shape) for shape in shapes
    ]
    found = [np.full((shape[1], size), NONE) for shape, size in zip(shapes, sizes, strict=True)]
    for axis, place, channel in zip(
        axes, _origins(tail, places), _origins(tail, channels), strict=True
    ):
        count = place.shape[axis]
        row = np.broadcast_to(
            np.arange(count).reshape([-1 if i == axis else 1 for i in range(place.ndim)]),
            place.shape,
        )
        for number, (end, size) in enumerate(zip(ends, sizes, strict=True)):
            inside = (place >= end - size) & (place < end)
            one = inside & (channel > NONE)
            all_ = inside & (channel == NONE)
            found[number][:, place[all_] - (end - size)] = row[all_]
            found[number][channel[one], place[one] - (end - size)] = row[one]
    return tuple(rows.reshape(shape[1:]) for rows, shape in zip(found, shapes, strict=True))


def _origins(tail: _Tail, numbers: Sequence[Numbers]) -> list[Numbers]:
    """For each element of the decoded outputs the one number, of those that the elements of the
    raw outputs have, that it depends on; ``NONE`` where it depends on several or on none.

    Bit by bit: all elements whose number has it are changed at once, then all that do not.
    """
    random = np.random.default_rng(0)
    change = [random.uniform(0.5, 1.5, found.shape).astype(np.float32) for found in numbers]
    start = tail.run([np.zeros(found.shape, np.float32) for found in numbers])
    seen = [[np.zeros(output.shape, np.int64) for output in start] for _ in range(2)]
    bits = int(max(found.max() for found in numbers)).bit_length() or 1
    for bit in range(bits):
        for value in range(2):
            given = [
                np.where((found >> bit) & 1 == value, c, np.float32(0.0))
                for found, c in zip(numbers, change, strict=True)
            ]
            for codes, output, before in zip(seen[value], tail.run(given), start, strict=True):
                codes |= (output != before).astype(np.int64) << bit
    every = (1 << bits) - 1
    return [np.where(zero ^ one == every, one, NONE) for zero, one in zip(*seen, strict=True)]
