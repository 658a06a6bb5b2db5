"""Offline quantization (post-training, PTQ) by PaddleSlim; runs inside a child process."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fqbench.convert.program import CONVOLUTIONS, STEM
from fqbench.isolate import Report
from fqbench.quantize.fingerprint import Fingerprint
from fqbench.spec import Preprocess
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare

Algorithm = Literal["hist", "avg", "abs_max", "KL", "mse", "emd"]

PASSES = 2
"""PaddleSlim reads the images twice: for the ranges, then for the histograms."""


@dataclass(frozen=True)
class PaddleScales:
    """What PaddleSlim found, by the names of the Paddle program.

    ``weight_amax`` is keyed by the SHA-256 of the weight's bytes, which conversion keeps.
    """

    amax: Mapping[str, float]
    weight_amax: Mapping[str, tuple[float, ...]]
    fingerprints: Mapping[str, Fingerprint]


class Samples:
    """The calibration images as PaddlePaddle reads a data set: the tensors of one image."""

    def __init__(
        self, images: Sequence[Path], preprocess: Preprocess, inputs: Sequence[str], report: Report
    ) -> None:
        self._images, self._preprocess, self._inputs = images, preprocess, inputs
        self._report, self._served = report, 0

    def tensors(self, index: int) -> list[NDArray[np.float32]]:
        """What the model's inputs are given for one image, batch 1."""
        prepared = prepare(read_image(self._images[index]), self._preprocess)
        return model_inputs(prepared, self._inputs)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        self._served += 1
        self._report(min(self._served, PASSES * len(self)), PASSES * len(self))
        return tuple(tensor[0] for tensor in self.tensors(index))


def calibrate(program: Path, samples: Samples, algorithm: Algorithm) -> PaddleScales:
    """Quantize the Paddle model in folder ``program`` with ``samples`` and return its scales."""
    import paddle
    from paddleslim.quant import quant_post_static

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    graph, feeds, _ = paddle.static.load_inference_model(str(program / STEM), executor)
    first = dict(zip(feeds, samples.tensors(0), strict=True))
    fingerprints = _fingerprints(executor, graph, first)
    weights = _weight_digests(graph)
    loader = paddle.io.DataLoader(
        samples,
        feed_list=[graph.global_block().var(name) for name in feeds],
        return_list=False,
        batch_size=1,
        places=[paddle.CPUPlace()],
    )
    with tempfile.TemporaryDirectory() as target:
        quant_post_static(
            executor,
            str(program),
            target,
            data_loader=loader,
            model_filename=f"{STEM}.pdmodel",
            params_filename=f"{STEM}.pdiparams",
            batch_size=1,
            batch_nums=len(samples),
            algo=algorithm,
            quantizable_op_type=list(CONVOLUTIONS),
            weight_quantize_type="channel_wise_abs_max",
            onnx_format=True,
        )
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope):
            quantized, _, _ = paddle.static.load_inference_model(f"{target}/{STEM}", executor)
            scales = _scales(quantized, scope)
    return PaddleScales(
        amax={name: float(v[0]) for name, v in scales.items() if name not in weights},
        weight_amax={
            weights[name]: tuple(v.tolist()) for name, v in scales.items() if name in weights
        },
        fingerprints=fingerprints,
    )


def _fingerprints(
    executor: Any, graph: Any, feed: Mapping[str, NDArray[np.float32]]
) -> dict[str, Fingerprint]:
    import paddle

    block = graph.global_block()
    names = [
        name
        for op in block.ops
        if op.type not in ("feed", "fetch")
        for name in op.output_arg_names
        if block.var(name).dtype == paddle.float32 and not block.var(name).persistable
    ]
    values = executor.run(graph, feed=dict(feed), fetch_list=names)
    found = {
        name: Fingerprint.of(np.asarray(value)) for name, value in zip(names, values, strict=True)
    }
    return {**{name: Fingerprint.of(tensor) for name, tensor in feed.items()}, **found}


def _weight_digests(graph: Any) -> dict[str, str]:
    """SHA-256 of the bytes of each convolution's weight, by its name in the program."""
    import paddle

    scope = paddle.static.global_scope()
    names = [op.input("Filter")[0] for op in graph.global_block().ops if op.type in CONVOLUTIONS]
    return {name: digest(np.asarray(scope.find_var(name).get_tensor())) for name in names}


def digest(weight: NDArray[np.float32]) -> str:
    """SHA-256 of a weight's float32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(weight, dtype=np.float32).tobytes()).hexdigest()


def _scales(graph: Any, scope: Any) -> dict[str, NDArray[np.float64]]:
    """Largest magnitude of each tensor that PaddleSlim wrote a scale for."""
    found: dict[str, NDArray[np.float64]] = {}
    for op in graph.global_block().ops:
        # Weights are stored quantized, so only their dequantize_linear stands in the program.
        if op.type in ("quantize_linear", "dequantize_linear"):
            scale = np.asarray(scope.find_var(op.input("Scale")[0]).get_tensor(), dtype=np.float64)
            found.setdefault(op.input("X")[0], scale.reshape(-1))
    return found
