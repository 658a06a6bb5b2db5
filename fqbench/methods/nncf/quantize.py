"""The calls of NNCF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Feeds = Iterable[Sequence[NDArray[Any]]]
"""The tensors of a model's inputs for each image. NNCF goes through them more than once."""


def quantize_onnx(source: Path, target: Path, feeds: Feeds, count: int, preset: str | None) -> None:
    """Write the ONNX model ``source`` in INT8 as ``target``, calibrated on ``count`` feeds.

    ``preset``: ``mixed`` rounds activations with a zero point; None: NNCF's default.
    """
    import onnx

    _let_enums_be_united()
    model = onnx.load(str(source))
    weights = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in weights]

    def named(feed: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(names, feed, strict=True))

    onnx.save(_quantized(model, feeds, named, count, preset), str(target))


def quantize_openvino(
    source: Path, target: Path, feeds: Feeds, count: int, preset: str | None
) -> None:
    """As ``quantize_onnx``, written in OpenVINO's own format: ``target`` and the weights beside."""
    import openvino

    model = openvino.Core().read_model(str(source))
    quantized = _quantized(model, feeds, list, count, preset)
    openvino.save_model(quantized, str(target), compress_to_fp16=False)


def _quantized(
    model: Any,
    feeds: Feeds,
    as_input: Callable[[Sequence[NDArray[Any]]], object],
    count: int,
    preset: str | None,
) -> Any:
    import nncf

    nncf.set_log_level("ERROR")
    chosen = None if preset is None else nncf.QuantizationPreset(preset)
    return nncf.quantize(model, nncf.Dataset(feeds, as_input), subset_size=count, preset=chosen)


def _let_enums_be_united() -> None:
    """NNCF writes ``DataType | numpy.dtype`` in annotations, which protobuf before 5 refuses."""
    from google.protobuf.internal.enum_type_wrapper import (  # type: ignore[import-untyped]
        EnumTypeWrapper,
    )

    if "__or__" not in vars(EnumTypeWrapper):
        EnumTypeWrapper.__or__ = lambda self, other: int | other
