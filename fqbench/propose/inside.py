"""What a model's first operators do to pixels: a normalization that it brings itself.

A chain ``input -> (Cast, Transpose, ...) -> Sub, Div, Mul, Add or BatchNormalization with constants
-> first layer`` is one linear map for each channel. By its range, pixels of 0 to 255 or of 0 to 1
are meant: what comes out then lies about 0, a few units wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.tasks.recognition import Sureness
from fqbench.vision.normalization import PIXELS, UNIT, Normalization

Values = NDArray[np.float64]

PASSING = ("Cast", "Identity", "Transpose", "Dropout")
"""Operators that change no value."""

LINEAR = ("Sub", "Add", "Mul", "Div", "BatchNormalization")

LONGEST = 16
"""Operators that are followed."""

WIDTHS = (0.9, 6.0)
"""Of the range of an input after its normalization: 1 of 0 to 1, 4.6 by ImageNet's deviation."""
DEEPEST, HIGHEST = -3.0, 0.01
"""Of what black becomes."""

CENTERED = (-135.0, -85.0)
"""Black after Caffe's normalization, which only takes the mean off."""


@dataclass(frozen=True)
class Inside:
    """Which pixels the model expects, and the order of the colors where its means tell."""

    expects: Normalization
    sureness: Sureness
    reason: str
    color: str | None


@dataclass(frozen=True)
class _Map:
    """``x * factor + offset``, one number or one for each channel."""

    factor: Values
    offset: Values
    names: tuple[str, ...] = ()


def normalization_inside(model: onnx.ModelProto, image: str) -> Inside | None:
    """What the model's first operators show; None where they normalize nothing, or oddly."""
    found = _followed(model, image)
    if not found.names:
        return None
    fitting = [each for each, top in ((PIXELS, 255.0), (UNIT, 1.0)) if _is_usual(found, top)]
    if len(fitting) != 1:
        return None
    (expects,) = fitting
    sureness: Sureness = "likely" if "BatchNormalization" in found.names else "sure"
    reason = f"the model normalizes its input itself, by {', '.join(found.names)}"
    return Inside(expects, sureness, reason, _color(found))


def _is_usual(found: _Map, top: float) -> bool:
    """Whether pixels of 0 to ``top`` come out in a usual range."""
    black, white = found.offset, found.factor * top + found.offset
    width = white - black
    usual = (width > WIDTHS[0]) & (width < WIDTHS[1]) & (black > DEEPEST) & (black < HIGHEST)
    centered = (width == 255) & (black > CENTERED[0]) & (black < CENTERED[1])
    return bool(usual.all() or centered.all())


def _color(found: _Map) -> str | None:
    """By the means, if they are those of photographs: the most red, the least blue."""
    means = (-found.offset / found.factor).reshape(-1)
    if means.size != 3:
        return None
    falls, rises = bool((np.diff(means) < 0).all()), bool((np.diff(means) > 0).all())
    return "rgb" if falls else "bgr" if rises else None


def _followed(model: onnx.ModelProto, image: str) -> _Map:
    constants = _constants(model)
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    found, tensor = _Map(np.ones(1), np.zeros(1)), image
    for _ in range(LONGEST):
        after = consumers.get(tensor, [])
        if len(after) != 1 or not after[0].output:
            break
        node = after[0]
        if node.op_type in LINEAR:
            applied = _applied(found, node, tensor, constants)
            if applied is None:
                break
            found = applied
        elif node.op_type not in PASSING:
            break
        tensor = node.output[0]
    return found


def _constants(model: onnx.ModelProto) -> dict[str, Values]:
    """Small ones: a number, or a few for each channel."""
    found: dict[str, Values] = {}
    tensors = [(each.name, each) for each in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors.extend((node.output[0], a.t) for a in node.attribute if a.name == "value")
    for name, tensor in tensors:
        if int(np.prod(tensor.dims)) <= 3:
            found[name] = np.asarray(onnx.numpy_helper.to_array(tensor), np.float64).reshape(-1)
    return found


def _applied(
    before: _Map, node: onnx.NodeProto, tensor: str, constants: dict[str, Values]
) -> _Map | None:
    names = (*before.names, node.op_type)
    if node.op_type == "BatchNormalization":
        if any(name not in constants for name in node.input[1:5]):
            return None
        scale, bias, mean, variance = (constants[name] for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        return _Map(before.factor * factor, (before.offset - mean) * factor + bias, names)
    other = next((name for name in node.input if name != tensor), "")
    value: Any = constants.get(other)
    if value is None or len(node.input) != 2:
        return None
    first = node.input[0] == tensor
    if node.op_type == "Add":
        return _Map(before.factor, before.offset + value, names)
    if node.op_type == "Mul":
        return _Map(before.factor * value, before.offset * value, names)
    if not first or (node.op_type == "Div" and not value.all()):
        return None
    if node.op_type == "Sub":
        return _Map(before.factor, before.offset - value, names)
    return _Map(before.factor / value, before.offset / value, names)
