"""What peers make of the FP32 graph, as files, each with the seconds that quantizing took.

They start from the canonical graph that fqbench quantizes, and are given the same calibration
images, which are in memory already.
"""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fqbench.backends.base import Tensor
from fqbench.methods.nncf.quantize import quantize_openvino
from fqbench.methods.onnxruntime_quantization.quantize import quantize_graph
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


def _by_onnxruntime(advised: bool, fp32: Path, feeds: Feeds, target: Path) -> float:
    start = time.perf_counter()
    quantize_graph(fp32, target, feeds, advised=advised)
    return time.perf_counter() - start


def _openvino_fp32(fp32: Path, feeds: Feeds, target: Path) -> None:
    import openvino

    openvino.save_model(openvino.Core().read_model(str(fp32)), target, compress_to_fp16=False)


def _by_nncf(preset: str | None, fp32: Path, feeds: Feeds, target: Path) -> float:
    start = time.perf_counter()
    quantize_openvino(fp32, target, feeds, len(feeds), preset)
    return time.perf_counter() - start


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
    ORT_DEFAULT: partial(_by_onnxruntime, False),
    ORT_ADVISED: partial(_by_onnxruntime, True),
    FP32[OPENVINO]: _openvino_fp32,
    NNCF_DEFAULT: partial(_by_nncf, None),
    NNCF_MIXED: partial(_by_nncf, "mixed"),
}
