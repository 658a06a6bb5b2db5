"""Whether a network for several images answers each as it would alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.convert.batch import refused
from fqbench.errors import StepError
from fqbench.graph.ordering import in_order
from fqbench.verify.conversion import Feed, Run
from fqbench.verify.difference import Bound, worst
from fqbench.verify.graphs import jumping

Array = NDArray[Any]

NEARNESS = 0.25
"""What one image's outputs may be off when others are beside it, as a part of their distance."""


def batch_of(feeds: Sequence[Feed], batch: int) -> list[Feed]:
    """``batch`` different feeds: those there are, then the same again, each time dimmer.

    Integers stay as they are, and whole numbers stay whole.
    """
    return [
        [_dimmed(tensor, 1 + i // len(feeds)) for tensor in feeds[i % len(feeds)]]
        for i in range(batch)
    ]


def _dimmed(tensor: Array, factor: int) -> Array:
    if factor == 1 or not np.issubdtype(tensor.dtype, np.floating):
        return tensor
    dimmed = tensor / np.float32(factor)
    return np.rint(dimmed) if (tensor == np.rint(tensor)).all() else dimmed


def check_batch(
    model: onnx.ModelProto, images: Sequence[Feed], single: Run, many: Run, bound: Bound
) -> None:
    """Raise StepError where ``many`` does not answer each of a batch as ``single`` does.

    ``images``: one batch, all of them different; ``model``: the graph of ``single``. Answers may
    differ by ``bound``, and by less than ``NEARNESS`` of what they differ from those for the other
    images.
    """
    batch, jumps, ordered = len(images), jumping(model.graph), in_order(model)
    alone = [single(image) for image in images]
    try:
        together = many([np.concatenate(parts) for parts in zip(*images, strict=True)])
    except Exception as error:  # the runtime's own exceptions share no base class
        raise StepError(refused(batch, str(error))) from error
    names = [value.name for value in model.graph.output]
    for place, (name, whole) in enumerate(zip(names, together, strict=True)):
        # An output without axes is one for all images.
        size = alone[0][place].shape[0] if alone[0][place].ndim else 0
        if not size or whole.shape != (batch * size, *alone[0][place].shape[1:]):
            reason = f"output {name!r} has shape {list(whole.shape)}"
            raise StepError(refused(batch, reason))
        own = [answer[place] for answer in alone]
        parts = np.split(whole, batch)
        for number, (part, answer) in enumerate(zip(parts, own, strict=True)):
            off = _distance(part, answer)
            others = min(_distance(other, answer) for other in _without(own, number))
            if not np.isfinite(off) or off > NEARNESS * others:
                raise StepError(refused(batch, "what it answers for one depends on the others"))
        pairs = [[answer] for answer in own], [[part] for part in parts]
        different = worst([name], *pairs, jumps, bound, ordered)
        if different is not None:
            raise StepError(refused(batch, different.text))


def _without(answers: Sequence[Array], number: int) -> list[Array]:
    return [answer for index, answer in enumerate(answers) if index != number]


def _distance(one: Array, other: Array) -> float:
    """Of two outputs; what is infinite or no number in both alike adds nothing."""
    with np.errstate(invalid="ignore"):
        off = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, one - other)
    return float(np.linalg.norm(np.where(np.isnan(off), np.inf, off)))
