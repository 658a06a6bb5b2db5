"""Called in children: what OpenVINO makes of codes that an operator passes on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fqbench.graph.executor import execute
from fqbench.graph.graph import Graph
from fqbench.tune.error import relative_error
from tests.support.onnx_graphs import Net, record

SIDE = 16


def _signed(net: Net, source: str) -> str:
    """Values of both signs."""
    return net.conv(source, 8, 1)


def _joined(net: Net, source: str) -> str:
    return net.concat(_signed(net, source), _signed(net, source))


def _pooled(net: Net, source: str) -> str:
    return net.node("MaxPool", source, kernel_shape=[2, 2], strides=[2, 2])


def _every_second(net: Net, source: str, down: int = 0, right: int = 0) -> str:
    parts = {"starts": [down, right], "ends": [SIDE, SIDE], "axes": [2, 3], "steps": [2, 2]}
    names = [net.constant(f"{source}_{down}{right}_{k}", np.array(v)) for k, v in parts.items()]
    return net.node("Slice", source, *names)


def _focus(net: Net, source: str) -> str:
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    return net.concat(*(_every_second(net, source, *corner) for corner in corners))


def _with_constant(net: Net, source: str) -> str:
    grid = np.linspace(-1, 1, 2 * SIDE * SIDE, dtype=np.float32).reshape(1, 2, SIDE, SIDE)
    name = net.constant("grid", grid)
    net.channels[name] = 2
    return net.concat(_signed(net, source), name)


def _into_sum(net: Net, source: str) -> str:
    own = net.conv(net.node("Relu", _signed(net, source)), 16, 1)
    return net.node("Add", own, net.concat(source, _signed(net, source)))


OPERATORS: dict[str, Callable[[Net, str], str]] = {
    "none": _signed,
    "maximum": lambda net, x: _pooled(net, _signed(net, x)),
    "enlargement": lambda net, x: net.resize(_signed(net, x)),
    "half of the channels": lambda net, x: net.split(_signed(net, x))[1],
    "every second place": lambda net, x: _every_second(net, _signed(net, x)),
    "transpose": lambda net, x: net.node("Transpose", _signed(net, x), perm=[0, 1, 3, 2]),
    "shuffle": lambda net, x: net.shuffle(_signed(net, x), SIDE),
    "average": lambda net, x: net.average(_signed(net, x)),
    "average of all": lambda net, x: net.node("GlobalAveragePool", _signed(net, x)),
    "sum": lambda net, x: net.node("Add", _signed(net, x), x),
    "join": _joined,
    "join of activations": lambda net, x: net.concat(
        net.silu(_signed(net, x)), net.silu(_signed(net, x))
    ),
    "join with positive": lambda net, x: net.concat(
        _signed(net, x), net.node("Relu", _signed(net, x))
    ),
    "join with the input": lambda net, x: net.concat("x", _signed(net, x)),
    "join with a constant": _with_constant,
    "join of rows": lambda net, x: net.node("Concat", _signed(net, x), _signed(net, x), axis=2),
    "join of corners": lambda net, x: _focus(net, _signed(net, x)),
    "join of joins": lambda net, x: net.concat(_joined(net, x), _joined(net, x)),
    "maximum of a join": lambda net, x: _pooled(net, _joined(net, x)),
    "half of a join": lambda net, x: net.split(_joined(net, x))[0],
    "shuffled join": lambda net, x: net.shuffle(_joined(net, x), SIDE),
    "average of a join": lambda net, x: net.average(_joined(net, x)),
    "sum with a join": _into_sum,
}
"""What stands between two layers that run in INT8, by name."""


def errors(arguments: dict[str, Any], report: Any) -> dict[str, Any]:
    """How far OpenVINO is from the file's own arithmetic, by what stands between two layers.

    ``kept``: whether it says that int8 codes may be joined; ``plain``: the error of a join of them.
    """
    from fqbench.backends.openvino.joins import lose_scales

    return {
        "kept": not lose_scales(),
        "plain": error("join", int8_joins=True),
        "errors": {
            name: [error(name, zero_points=zero_points) for zero_points in (False, True)]
            for name in OPERATORS
        },
    }


def error(name: str, *, zero_points: bool = False, int8_joins: bool | None = None) -> float:
    """That of one of ``OPERATORS``; ``int8_joins``: None for as it is written here."""
    from fqbench.backends.openvino.lower import lower, lower_into
    from fqbench.backends.openvino.runtime import compiled, runner

    net = Net(3, (1, 4, SIDE, SIDE))
    model = net.model(net.conv(OPERATORS[name](net, net.conv("x", 8, 1)), 6, 1))
    image = net.image()
    known = record(model, image)
    # Weights of seven bits, of which no products saturate.
    limits = {k: tuple(2.02 * limit for limit in v) for k, v in known.weight_amax.items()}
    layers = tuple(layer.name for layer in Graph(model).layers())
    known = replace(known, weight_amax=limits, zero_points=layers if zero_points else ())
    if int8_joins is None:
        with tempfile.TemporaryDirectory() as folder:
            written = lower_into(
                model, known, Path(folder), feeds=[], float_silu=False, unsigned=frozenset()
            ).emulation
    else:
        written = lower(model, known, int8_joins=int8_joins)
    wanted = execute(written, Graph(model).outputs, fuse_pairs=False).run([image])
    found = runner(compiled(written.SerializeToString(), 1)).run([image])
    return relative_error([wanted], [found])
