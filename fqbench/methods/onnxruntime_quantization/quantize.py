"""The calls of ``onnxruntime.quantization``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fqbench.errors import StepError
from fqbench.hardware import cpu
from fqbench.methods.transformers import is_transformer

EXACT = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Instruction sets that multiply uint8 by int8 without sums in 16 bits."""


def quantize_graph(
    source: Path, target: Path, feeds: Iterable[Sequence[NDArray[Any]]], *, advised: bool
) -> None:
    """Write the ONNX model ``source`` in INT8 as ``target``, calibrated on ``feeds``.

    A transformer, where ``advised``, is not calibrated: its activations are rounded by what they
    are in each inference. Raises StepError where a package is missing that the quantizer imports.
    """
    import onnx

    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

        if advised:
            from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise StepError(
            f"onnxruntime.quantization cannot be imported ({error}): install fqbench[toolkits]"
        ) from error

    if not advised:
        quantize_static(str(source), str(target), _reader(source, feeds))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder) / "prepared.onnx")
        # Every shape is known: there are no symbols to infer.
        quant_pre_process(str(source), prepared, skip_symbolic_shape=True)
        how = {
            "weight_type": QuantType.QInt8,
            "per_channel": True,
            "reduce_range": saturates(cpu()["arch"], cpu()["isa"]),
        }
        if is_transformer(onnx.load(str(source))):
            quantize_dynamic(prepared, str(target), **how)
            return
        reader = _reader(source, feeds)
        quantize_static(prepared, str(target), reader, activation_type=QuantType.QUInt8, **how)


def saturates(arch: object, isa: object) -> bool:
    """Whether a CPU has no instruction that multiplies U8S8 without 16-bit sums: VNNI or later."""
    return arch in ("x86_64", "AMD64") and isinstance(isa, list) and not EXACT & set(isa)


def _reader(model: Path, feeds: Iterable[Sequence[NDArray[Any]]]) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader

    graph = onnx.load(str(model)).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[Sequence[NDArray[Any]]] = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else dict(zip(names, feed, strict=True))

    return Reader()
