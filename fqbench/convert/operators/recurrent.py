"""Recurrent layers, as text recognition has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from fqbench.convert.operators.operator import (
    Array,
    Operator,
    Unsupported,
    Variable,
    converts,
    numbered,
    parameter,
)

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
"""Which of ONNX's gates Paddle has first, second, ...: of iofc ifco, of zrh rzh."""
ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
STATES = {"LSTM": 2, "GRU": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
WEIGHT, RECURRENCE, BIAS, LENGTHS, STATE, CELL, PEEPHOLES = range(1, 8)
"""Inputs."""


@converts("LSTM", "GRU")
def recurrent(op: Operator) -> list[Variable]:
    """A layer of one direction or two, with the usual activations."""
    _check(op)
    steps, batch, features = op.shape(0)
    direction = op.attribute("direction", "forward")
    count, hidden = DIRECTIONS[direction], op.shape(RECURRENCE)[2]
    backwards = direction == "reverse"
    source = paddle.flip(op.variable(0), [0]) if backwards else op.variable(0)
    zeros = np.zeros((count, batch, hidden), np.float32)
    before = [
        op.variable(index) if op.has(index) else parameter(zeros)
        for index in (STATE, CELL)[: STATES[op.kind]]
    ]
    out, states = _layer(op, source, before, features, hidden, count)
    out = paddle.flip(out, [0]) if backwards else out
    apart = paddle.reshape(out, [steps, batch, count, hidden])
    return [paddle.transpose(apart, [0, 2, 1, 3]), *states][: op.results()]


def _check(op: Operator) -> None:
    usual = ACTIVATIONS[op.kind] * DIRECTIONS[op.attribute("direction", "forward")]
    given = [name.decode() for name in op.attribute("activations", [])]
    if given not in ([], usual) or op.attribute("clip", 0.0) or op.attribute("layout", 0):
        raise Unsupported("its activations, clipping or layout have no form in Paddle")
    if op.attribute("input_forget", 0) or (op.kind == "LSTM" and op.has(PEEPHOLES)):
        raise Unsupported("its gates read more than Paddle's do")
    if op.kind == "GRU" and not op.attribute("linear_before_reset", 0):
        raise Unsupported("it resets before the product, Paddle after it")
    steps = op.shape(0)[0]
    if op.has(LENGTHS) and set(op.numbers(LENGTHS, "the lengths of sequences")) != {steps}:
        raise Unsupported("its sequences are of several lengths")


def _layer(
    op: Operator,
    source: Variable,
    before: list[Variable],
    features: int,
    hidden: int,
    count: int,
) -> tuple[Variable, list[Variable]]:
    """Paddle's operator: what each step writes [steps, batch, directions x hidden], and states."""
    block = paddle.static.default_main_program().global_block()

    def created(kind: str, dtype: Any) -> Variable:
        return block.create_var(name=f"{numbered(kind)}.tmp", dtype=dtype)

    out, states = created("rnn", source.dtype), [created("state", source.dtype) for _ in before]
    block.append_op(
        type="rnn",
        inputs={"Input": source, "WeightList": _weights(op, count), "PreState": before},
        outputs={
            "Out": out,
            "State": states,
            "Reserve": created("reserve", "uint8"),
            "DropoutState": created("dropout", "uint8"),
        },
        attrs={
            "dropout_prob": 0.0,
            "is_bidirec": count == 2,
            "input_size": features,
            "hidden_size": hidden,
            "num_layers": 1,
            "mode": op.kind,
            "is_test": True,
        },
    )
    return out, states


def _weights(op: Operator, count: int) -> list[Variable]:
    """All weights of each direction, then all biases, with gates in Paddle's order."""
    what, order = "its weights", GATES[op.kind]
    weight, recurrence = op.constant(WEIGHT, what), op.constant(RECURRENCE, what)
    hidden = recurrence.shape[2]
    whole = len(order) * hidden
    bias = op.constant(BIAS, what) if op.has(BIAS) else np.zeros((count, 2 * whole), np.float32)

    def ordered(value: Array) -> Variable:
        gates = value.reshape(len(order), hidden, *value.shape[1:])
        return parameter(np.ascontiguousarray(gates[list(order)]).reshape(value.shape))

    weights = [ordered(kind[at]) for at in range(count) for kind in (weight, recurrence)]
    biases = [ordered(bias[at, part]) for at in range(count) for part in _halves(whole)]
    return [*weights, *biases]


def _halves(whole: int) -> tuple[slice, slice]:
    """The biases of what is read, and of what is remembered."""
    return slice(0, whole), slice(whole, 2 * whole)
