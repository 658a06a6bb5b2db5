"""What peers make of the FP32 graph, as files, each with the seconds that quantizing took.

They start from the canonical graph that fqbench quantizes, and are given the same calibration
images, which are in memory already.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from fqbench.backends.base import Tensor
from fqbench.hardware import cpu
from tools.peers.forms import (
    FP32,
    NNCF_DEFAULT,
    NNCF_MIXED,
    OPENVINO,
    ORT_ADVISED,
    ORT_DEFAULT,
    Form,
)

Feeds = Sequence[list[Tensor]]
"""The tensors of a model's inputs, for each calibration image."""

Maker = Callable[[Path, Feeds, Path], float | None]
"""Writes what it makes of an FP32 graph into a file; returns the seconds that quantizing took."""

REASON = 300
"""Characters of a peer's own message that are shown."""


@dataclass(frozen=True)
class Made:
    """A form's file, and the ``seconds`` that quantizing took, None where nothing is quantized."""

    form: Form
    path: Path
    seconds: float | None

    @property
    def size_mb(self) -> float:
        """Size of the model in 10^6 bytes, with OpenVINO's second file, which holds the weights."""
        files = {self.path, self.path.with_suffix(".bin")}
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def make(fp32: Path, feeds: Feeds, folder: Path) -> tuple[tuple[Made, ...], Mapping[Form, str]]:
    """What each peer makes of the graph ``fp32``, in ``folder``; and why those failed that did."""
    made, failures = [], {}
    for number, (form, maker) in enumerate(MAKERS.items()):
        path = folder / f"{number}{'.xml' if form.runtime == OPENVINO else '.onnx'}"
        try:
            with _quiet():
                made.append(Made(form, path, maker(fp32, feeds, path)))
        except Exception as error:  # A peer may raise anything; the others are still compared.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failures[form] = f"{form.name} was not made: {reason[:REASON]}"
    return tuple(made), failures


def _by_onnxruntime_default(fp32: Path, feeds: Feeds, target: Path) -> float:
    """``quantize_static`` with nothing but its defaults."""
    from onnxruntime.quantization import quantize_static

    start = time.perf_counter()
    quantize_static(str(fp32), str(target), _reader(fp32, feeds))
    return time.perf_counter() - start


def _by_onnxruntime_advised(fp32: Path, feeds: Feeds, target: Path) -> float:
    """As ONNX Runtime's guide "Quantize ONNX Models" advises for x86.

    The graph is prepared; activations are unsigned and weights signed (U8S8), per channel, and of
    7 bits where the CPU adds pairs of products in 16 bits, which then saturate: without VNNI.
    """
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder) / "prepared.onnx")
        # Every shape is known: there are no symbols to infer.
        quant_pre_process(str(fp32), prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            str(target),
            _reader(fp32, feeds),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=saturates(cpu()["arch"], cpu()["isa"]),
        )
    return time.perf_counter() - start


def saturates(arch: object, isa: object) -> bool:
    """Whether a CPU has no instruction that multiplies U8S8 without 16-bit sums: VNNI or later."""
    exact = {"avx512_vnni", "avx_vnni", "amx_int8"}
    return arch in ("x86_64", "AMD64") and isinstance(isa, list) and not exact & set(isa)


def _reader(model: Path, feeds: Feeds) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    graph = onnx.load(str(model)).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in weights]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else dict(zip(names, feed, strict=True))

    return Reader()


def _openvino_fp32(fp32: Path, feeds: Feeds, target: Path) -> None:
    import openvino

    openvino.save_model(openvino.Core().read_model(str(fp32)), target, compress_to_fp16=False)


def _by_nncf(preset: str | None, fp32: Path, feeds: Feeds, target: Path) -> float:
    """``nncf.quantize`` with all images; ``mixed`` rounds activations with a zero point."""
    import nncf
    import openvino

    nncf.set_log_level("ERROR")
    model = openvino.Core().read_model(str(fp32))
    data = nncf.Dataset(feeds, lambda feed: feed)
    chosen = None if preset is None else nncf.QuantizationPreset(preset)
    start = time.perf_counter()
    quantized = nncf.quantize(model, data, subset_size=len(feeds), preset=chosen)
    seconds = time.perf_counter() - start
    openvino.save_model(quantized, target, compress_to_fp16=False)
    return seconds


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars, and without advice that a form ignores on purpose."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


MAKERS: Mapping[Form, Maker] = {
    ORT_DEFAULT: _by_onnxruntime_default,
    ORT_ADVISED: _by_onnxruntime_advised,
    FP32[OPENVINO]: _openvino_fp32,
    NNCF_DEFAULT: partial(_by_nncf, None),
    NNCF_MIXED: partial(_by_nncf, "mixed"),
}
