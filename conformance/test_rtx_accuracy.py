"""What TensorRT's engines are built from is right: INT8 and FP16 networks, without a GPU.

ONNX Runtime executes them on the CPU, operator by operator. That proves the arithmetic: scales,
codes, where pairs stand, which layers stay in float, and that nothing overflows in float16. It
proves nothing of TensorRT's kernels, nor that these fuse; a GPU tells that.
"""

from __future__ import annotations

import pytest

from fqbench.backends import lowering_target
from fqbench.cells import Cell
from fqbench.pytest_plugin.matrix import MatrixUnderTest
from fqbench.spec import Folder

CHANCE = 2.0
"""Accuracy in points of any FP32 model that works at all: far above guessing."""


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_network_for_tensorrt_is_within_the_margin(
    model: str, precision: str, matrix_under_test: MatrixUnderTest
) -> None:
    if not any(lowering_target(cell.backend) == "tensorrt" for cell in matrix_under_test.cells()):
        pytest.skip("no TensorRT backend is chosen")
    pipeline = (
        matrix_under_test.lowered(model)
        if precision == "int8"
        else matrix_under_test.pipeline(model)
    )
    if isinstance(pipeline.spec.dataset, Folder):
        pytest.skip(f"accuracy needs {pipeline.spec.dataset.needs}")
    # FP16 has no margin of its own: it must not lose what INT8 may.
    margin = matrix_under_test.margin(Cell(model, "tensorrt", "gpu", "int8"))
    assert margin is not None, f"no margin is documented for {model} on TensorRT"
    fp32, found = (
        pipeline.emulated(Cell(model, "tensorrt", "gpu", each)) for each in ("fp32", precision)
    )
    assert pipeline.accuracy(fp32) > CHANCE
    lost = pipeline.drop(fp32, found)
    assert lost.value <= margin.drop, (
        f"{precision} loses {lost.value:.2f} points (95 % interval {lost.low:.2f} to"
        f" {lost.high:.2f}), the margin is {margin.drop:g} ({margin.source}: {margin.reason})"
    )
    if precision == "int8":
        lowered = pipeline.lowering(Cell(model, "tensorrt", "gpu", "int8"))
        assert 0 < lowered.quantized <= lowered.convolutions
