"""How the INT8 model is made, on which images, and what it may lose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fqbench.spec.preprocessing import Size
from fqbench.spec.record import Record

Cpu = Literal["here", "any"]
Algorithm = Literal["search", "percentile", "hist", "avg", "abs_max", "KL", "mse", "emd"]


class Calibration(Record):
    """Images that quantization may see: a folder, or the lines of a list file in it.

    Of all that are listed, each ``every``-th from ``start`` on. ``boxes``: COCO annotations, of
    which the largest box of the first category is cut out of each image; those without are left
    out.
    ``sizes``: of the model's input, that images are read at by turns; none: that of ``preprocess``.
    """

    images: Path
    list: Path | None = None
    boxes: Path | None = None
    every: Annotated[int, Field(gt=0)] = 1
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] = 32
    sizes: tuple[Size, ...] = ()


class Offline(Record):
    """How offline quantization finds ranges, and which layers it leaves in float.

    ``keep_float`` holds names of the canonical graph's layers, or patterns with ``*``.
    """

    algorithm: Algorithm = "search"
    keep_float: tuple[str, ...] = ()


class LearningRate(Record):
    """``kind``: the same throughout, or falling from ``rate`` to 0 along half a cosine.

    The cosine takes ``t_max`` iterations, by default all.
    """

    kind: Literal["constant", "cosine"] = "cosine"
    rate: Annotated[float, Field(gt=0, le=1)] = 3e-5
    t_max: Annotated[int, Field(gt=0)] | None = None


class Distillation(Record):
    """How the FP32 model teaches the INT8 model, without labels.

    ``images``: what is trained on, by default the calibration images. ``loss``: between what
    student and teacher write into ``nodes``, tensors of the canonical graph, by default the raw
    outputs before decoding; ``alpha`` weighs it. None: ``soft_label`` for logits, else ``l2``.
    Training ends after ``iterations`` of ``batch_size`` images, or when the points lost, as
    estimated every ``eval_iterations`` on images held out from it, are at most ``target_drop``.
    """

    images: Calibration | None = None
    loss: Literal["l2", "soft_label"] | None = None
    alpha: Annotated[float, Field(gt=0)] = 1.0
    nodes: tuple[str, ...] = ()
    iterations: Annotated[int, Field(gt=0)] = 200
    batch_size: Annotated[int, Field(gt=0, le=1024)] = 4
    eval_iterations: Annotated[int, Field(gt=0)] = 50
    learning_rate: LearningRate = LearningRate()
    optimizer: Literal["SGD", "Momentum", "Adam", "AdamW"] = "Adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    target_drop: Annotated[float, Field(ge=0)] | None = None


def _with_int8(name: str) -> str:
    """``name``, if a backend of that name has an INT8 form of its own."""
    from fqbench.backends import Int8Form, backends

    return _one_of(name, [n for n, found in backends().items() if isinstance(found.int8, Int8Form)])


def _of_method(name: str) -> str:
    """``name``, if a method that can be asked for is called so."""
    from fqbench.methods import offered

    return _one_of(name, offered())


def _one_of(name: str, known: Sequence[str]) -> str:
    if name not in known:
        listed = [repr(each) for each in known]
        raise ValueError(f"Input should be {', '.join(listed[:-1])} or {listed[-1]}")
    return name


class Margin(Record):
    """The largest drop from FP32 to INT8, in points, that is accepted, and on whose word."""

    drop: Annotated[float, Field(ge=0)]
    source: Annotated[str, Field(min_length=3)]
    reason: Annotated[str, Field(min_length=3)]
    backend: Annotated[str, AfterValidator(_with_int8)] | None = None
    method: Annotated[str, AfterValidator(_of_method)] | None = None


class Int8File(Record):
    """An INT8 model that was made elsewhere, to be measured beside the one that fqbench makes."""

    model: Path
    params: Path | None = None
