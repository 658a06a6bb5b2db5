"""A small detector with seeded weights that ends in its best rows, as those without suppression."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.support.onnx_graphs import Net

SIDE = 64
STRIDE = 4
PLACES = (SIDE // STRIDE) ** 2
BEST = 50
"""Rows at the end."""


def best_rows(classes: int = 10, seed: int = 4, width: int = 16) -> tuple[Net, onnx.ModelProto]:
    """1x3x64x64 to [1, 50, 6]: x1, y1, x2, y2 in pixels, score, label of the best of 256 places.

    ``columns`` [1, 4 + classes, 256] is what stands before anything is put in order.
    """
    net = Net(seed, (1, 3, SIDE, SIDE))
    seen = net.silu(net.conv("x", width, strides=[2, 2]))
    for strides in (2, 1, 1):
        seen = net.silu(net.conv(seen, width, strides=[strides, strides]))
    boxes, scores = _boxes(net, seen), _scores(net, seen, classes)
    _add(net, "Concat", [boxes, scores], "columns", axis=1)
    _put_in_order(net, classes)
    return net, net.model("rows")


def _boxes(net: Net, seen: str) -> str:
    """Corners [1, 4, places]: how far each side is from the middle of its cell, in cells."""
    sides = net.node("Softplus", net.conv(seen, 4, 1))
    flat = net.node("Reshape", sides, net.constant("four_rows", np.array([1, 4, PLACES])))
    y, x = np.divmod(np.arange(PLACES), SIDE // STRIDE)
    middle = np.stack([x, y, x, y]).astype(np.float32)[None] + 0.5
    sign = np.array([-1, -1, 1, 1], np.float32).reshape(1, 4, 1)
    signed = net.node("Mul", flat, net.constant("sign", sign))
    corners = net.node("Add", signed, net.constant("middle", middle))
    return net.node("Mul", corners, net.constant("stride", np.array(STRIDE, np.float32)))


def _scores(net: Net, seen: str, classes: int) -> str:
    """[1, classes, places]."""
    shape = net.constant("class_rows", np.array([1, classes, PLACES]))
    return net.node("Sigmoid", net.node("Reshape", net.conv(seen, classes, 1), shape))


def _put_in_order(net: Net, classes: int) -> None:
    """From ``columns`` to ``rows``."""
    net.constant("parts", np.array([4, classes]))
    net.constant("one_row", np.array([1, -1]))
    net.constant("k", np.array([BEST]))
    net.constant("classes", np.array(classes))
    net.constant("first", np.array([0]))
    net.constant("last", np.array([2]))
    _add(net, "Transpose", ["columns"], "turned", perm=[0, 2, 1])
    _add(net, "Split", ["turned", "parts"], "corners", "chances", axis=2)
    _add(net, "Reshape", ["chances", "one_row"], "every")
    _add(net, "TopK", ["every", "k"], "best", "index", axis=1)
    _add(net, "Div", ["index", "classes"], "place")
    _add(net, "Mod", ["index", "classes"], "class")
    _add(net, "Squeeze", ["corners", "first"], "every_corner")
    _add(net, "Squeeze", ["place", "first"], "places")
    _add(net, "Gather", ["every_corner", "places"], "taken", axis=0)
    _add(net, "Unsqueeze", ["taken", "first"], "boxes")
    _add(net, "Unsqueeze", ["best", "last"], "score")
    _add(net, "Cast", ["class"], "number", to=TensorProto.FLOAT)
    _add(net, "Unsqueeze", ["number", "last"], "label")
    _add(net, "Concat", ["boxes", "score", "label"], "rows", axis=2)


def _add(net: Net, kind: str, inputs: list[str], *outputs: str, **attributes: object) -> None:
    net.nodes.append(helper.make_node(kind, inputs, outputs, f"n_{outputs[0]}", **attributes))
