"""The calls of NNCF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

Tensors = Sequence[NDArray[Any]]

Feeds = Iterable[Tensors]
"""The tensors of a model's inputs for each image. NNCF goes through them more than once."""

Run = Callable[[Tensors], Sequence[NDArray[Any]]]
"""Computes a model's outputs for the tensors of an image."""


@dataclass(frozen=True)
class Setting:
    """What ``nncf.quantize`` is told of a model; None: nothing.

    ``preset``: ``mixed`` rounds activations with a zero point. ``model_type``: ``transformer``
    leaves norms and scores in float, and smooths the channels of activations.
    """

    preset: Literal["mixed"] | None = None
    model_type: Literal["transformer"] | None = None


@dataclass(frozen=True)
class AccuracyControl:
    """What accuracy control may lose (``max_drop``), in the unit of what ``validate`` returns.

    ``validate``: from what runs a model and the numbers of some of its images, the accuracy on
    them, and that of each.
    """

    max_drop: float
    images: int
    validate: Callable[[Run, Sequence[int]], tuple[float, list[float]]]


def quantize_onnx(
    source: Path,
    target: Path,
    feeds: Feeds,
    count: int,
    setting: Setting,
    control: AccuracyControl | None = None,
) -> None:
    """Write the ONNX model ``source`` in INT8 as ``target``, calibrated on ``count`` feeds.

    ``control``: layers go back to float until no more is lost; None: all are quantized.
    """
    import onnx

    from fqbench.graph.executor import execute

    _let_enums_be_united()
    model = onnx.load(str(source))
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in weights]
    outputs = [value.name for value in model.graph.output]

    def named(feed: Tensors) -> dict[str, NDArray[Any]]:
        return dict(zip(names, feed, strict=True))

    def run(model: Any) -> Run:
        return execute(model, outputs, fuse_pairs=True).run

    onnx.save(_quantized(model, feeds, named, count, setting, control, run), str(target))


def quantize_openvino(
    source: Path,
    target: Path,
    feeds: Feeds,
    count: int,
    setting: Setting,
    control: AccuracyControl | None = None,
) -> None:
    """As ``quantize_onnx``, written in OpenVINO's own format: ``target`` and the weights beside."""
    import openvino

    def run(compiled: Any) -> Run:
        return lambda feed: list(compiled(list(feed)).values())

    model = openvino.Core().read_model(str(source))
    quantized = _quantized(model, feeds, list, count, setting, control, run)
    openvino.save_model(quantized, str(target), compress_to_fp16=False)


def _quantized(
    model: Any,
    feeds: Feeds,
    as_input: Callable[[Tensors], object],
    count: int,
    setting: Setting,
    control: AccuracyControl | None,
    run: Callable[[Any], Run],
) -> Any:
    import nncf

    nncf.set_log_level("ERROR")
    preset = None if setting.preset is None else nncf.QuantizationPreset(setting.preset)
    kind = None if setting.model_type is None else nncf.ModelType(setting.model_type)
    how = {"subset_size": count, "preset": preset, "model_type": kind}
    calibrating = nncf.Dataset(feeds, as_input)
    if control is None:
        return nncf.quantize(model, calibrating, **how)
    validate = control.validate
    return nncf.quantize_with_accuracy_control(
        model,
        calibrating,
        nncf.Dataset(range(control.images)),
        lambda made, numbers: validate(run(made), list(numbers)),
        max_drop=control.max_drop,
        **how,
    )


def _let_enums_be_united() -> None:
    """NNCF writes ``DataType | numpy.dtype`` in annotations, which protobuf before 5 refuses."""
    from google.protobuf.internal.enum_type_wrapper import (  # type: ignore[import-untyped]
        EnumTypeWrapper,
    )

    if "__or__" not in vars(EnumTypeWrapper):
        EnumTypeWrapper.__or__ = lambda self, other: int | other
