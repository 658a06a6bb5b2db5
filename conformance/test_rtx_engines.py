"""Engines of TensorRT for RTX, built where no GPU is: what is planned in INT8 is INT8 in them.

An engine holds the program that a GPU will be given, with the types of all it reads and writes, and
that is what is looked at here. The kernels that compute it are chosen on that GPU: neither its
speed nor its results are shown here.
"""

from __future__ import annotations

import json

import onnx
import pytest

from fqbench.artifacts import Artifact
from fqbench.backends.tensorrt import inspect
from fqbench.backends.tensorrt.library import TENSORRT_RTX, Capability
from fqbench.backends.tensorrt.network import layer_names
from fqbench.cells import Cell
from fqbench.errors import StepError
from fqbench.graph.graph import Graph
from fqbench.pytest_plugin.matrix import MatrixUnderTest

MISSING = TENSORRT_RTX.missing()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

AMPERE, ADA = (8, 6), (8, 9)
EVERYWHERE = pytest.mark.parametrize("capability", [AMPERE, ADA], ids=["SM86", "SM89"])


@pytest.fixture(autouse=True)
def _chosen(matrix_under_test: MatrixUnderTest) -> None:
    if all(cell.backend != "tensorrt_rtx" for cell in matrix_under_test.cells()):
        pytest.skip("TensorRT for RTX is not chosen")


@EVERYWHERE
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_engine_computes_in_the_planned_types(
    model: str, precision: str, capability: Capability, matrix_under_test: MatrixUnderTest
) -> None:
    made = (
        matrix_under_test.lowered(model)
        if precision == "int8"
        else matrix_under_test.pipeline(model)
    )
    cell = Cell(model, "tensorrt_rtx", "gpu", precision)
    network = made.network(cell)
    planned = _codes(network)
    types = inspect.read_types(made.made(made.graph.engine(cell, capability)).path)
    assert inspect.UNKNOWN not in types.values()
    assert inspect.int8_layers(types) == planned
    if precision == "int8":
        counts = json.loads(network.file("plan.json").read_text())
        assert len(planned) == counts["quantized"] > 0
        assert len(types) == counts["convolutions"]
    elif precision == "fp16":
        assert inspect.FP16 in types.values()
    else:
        assert set(types.values()) == {inspect.FP32}


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_engine_takes_several_images(
    model: str, precision: str, matrix_under_test: MatrixUnderTest
) -> None:
    made = (
        matrix_under_test.lowered(model)
        if precision == "int8"
        else matrix_under_test.pipeline(model)
    )
    cell = Cell(model, "tensorrt_rtx", "gpu", precision)
    one, several = (made.made(made.graph.engine(cell, ADA, batch)) for batch in (1, 3))
    assert inspect.read_types(several.path) == inspect.read_types(one.path)
    assert b"dims={ 3 " in several.file("model.engine").read_bytes()


def _codes(network: Artifact) -> frozenset[str]:
    """Names of the layers of an ONNX graph that read codes and weights in codes."""
    graph = Graph(onnx.load(str(network.file("model.onnx"))))
    names = layer_names(graph.model.graph)
    layers = [node for node in graph.model.graph.node if node.op_type in ("Conv", "Gemm")]
    return frozenset(
        name
        for name, node in zip(names, layers, strict=True)
        if all(
            each in graph.producer and graph.producer[each].op_type == "DequantizeLinear"
            for each in node.input[:2]
        )
    )


def test_file_made_for_onnx_runtime_is_refused_by_the_operator(
    model: str, matrix_under_test: MatrixUnderTest
) -> None:
    made = matrix_under_test.lowered(model)
    node = made.graph.lowered("onnxruntime")
    lowered = made.made(node)
    graph = onnx.load(str(lowered.file("model.onnx"))).graph
    if json.loads(lowered.file("plan.json").read_text())["quantized"] == 0:
        pytest.skip("none of its layers is in INT8 on ONNX Runtime")
    first = next(node for node in graph.node if node.op_type.endswith("eLinear"))
    with pytest.raises(StepError) as refused:
        made.made(made.graph.engine_of("tensorrt_rtx", node, ADA))
    message = str(refused.value)
    assert f"{first.op_type} {first.name!r}" in message
    assert "lower the model for tensorrt" in message
