"""Which models are transformers, and what their toolkits are told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest

from fqbench.convert.products import products_as_layers
from fqbench.methods.nncf.quantize import Setting
from fqbench.methods.nncf.step import advised_setting
from fqbench.methods.onnxruntime_quantization.quantize import quantize_graph
from fqbench.methods.transformers import has_attention, is_transformer
from fqbench.zoo.seeded.models import FILE, KINDS, write_model
from tests.support.toolkits import needs_ort_quantization


@pytest.fixture
def seeded(tmp_path: Path, request: pytest.FixtureRequest) -> onnx.ModelProto:
    """The canonical layers of the seeded network that the test names."""
    name = request.param
    write_model(name, KINDS[name].preprocess, tmp_path)
    return products_as_layers(onnx.load(str(tmp_path / FILE)))


@pytest.mark.parametrize(
    ("seeded", "attention", "transformer"),
    [
        ("vit_seeded", True, True),
        ("detr_seeded", True, True),
        ("text_line_seeded", True, False),
        ("yolov8_seeded", False, False),
    ],
    indirect=["seeded"],
)
def test_attention_makes_a_transformer_of_fully_connected_layers(
    seeded: onnx.ModelProto, attention: bool, transformer: bool
) -> None:
    assert has_attention(seeded) is attention
    assert is_transformer(seeded) is transformer


@pytest.mark.parametrize(
    ("seeded", "expected"),
    [
        ("vit_seeded", Setting("mixed", "transformer")),
        ("yolov8_seeded", Setting("mixed")),
    ],
    indirect=["seeded"],
)
def test_nncf_is_told_of_a_transformer(seeded: onnx.ModelProto, expected: Setting) -> None:
    assert advised_setting(seeded) == expected


@needs_ort_quantization
@pytest.mark.parametrize("seeded", ["vit_seeded"], indirect=True)
def test_onnx_runtime_rounds_a_transformer_s_activations_as_they_come(
    seeded: onnx.ModelProto, tmp_path: Path
) -> None:
    onnx.save(seeded, tmp_path / "float.onnx")
    quantize_graph(tmp_path / "float.onnx", tmp_path / "int8.onnx", iter(()), advised=True)
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node)
    assert kinds["MatMulInteger"] == 13  # 17 less the four products of attention
    assert kinds["Gemm"] == kinds["QuantizeLinear"] == 0
