"""Models of every opset and IR version, on their way to the canonical graph and to INT8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from fqbench.backends.onnxruntime.lower import layer_counts, lower
from fqbench.convert.canonical import canonicalize
from fqbench.graph import checking
from fqbench.graph.checking import check, opset_of, unreadable_version
from fqbench.graph.external_data import load
from fqbench.spec.inspect import inspect_onnx
from fqbench.verify.conversion import check_canonical
from tests.support.external_data import DATA, split
from tests.support.onnx_graphs import record
from tests.support.versioned_nets import (
    OPSETS,
    SHAPE,
    activations,
    classifier,
    with_functions,
)

NEW = tuple(range(11, 15))
"""IR versions that the oldest supported ONNX Runtime does not load."""


def image() -> np.ndarray:
    return np.random.default_rng(7).normal(0, 1, SHAPE).astype(np.float32)


def run(model: onnx.ModelProto) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": image()})
    return result


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def canonical(folder: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """The canonical graph of a file of ``model``, which is inspected, read and checked."""
    if unreadable_version(model) is not None:
        pytest.skip("the installed ONNX Runtime is older")
    path = split(folder, model)
    found = inspect_onnx({"model": str(path)}, lambda done, total, told="", /: None)
    assert found["inputs"] == {"x": list(SHAPE)}
    assert found["data_files"] == [str(folder / DATA)]
    written = load(path)
    result = canonicalize(written, SHAPE)
    check_canonical(written, result, [[image()]])
    np.testing.assert_allclose(run(result), run(model), atol=1e-6)
    assert result.ir_version <= checking.IR
    assert not result.functions
    check(result)
    return result


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset(tmp_path: Path, opset: int) -> None:
    made = canonical(tmp_path, classifier(opset))
    assert opset_of(made) == min(max(opset, 13), 21)
    assert "BatchNormalization" not in kinds(made)


@pytest.mark.parametrize("ir", NEW)
@pytest.mark.parametrize("opset", [7, 11, 13, 18, 21, 24])
def test_new_ir_versions_become_one_that_is_loaded_everywhere(
    tmp_path: Path, ir: int, opset: int
) -> None:
    made = canonical(tmp_path, classifier(opset, ir))
    assert (made.ir_version, opset_of(made)) == (10, min(max(opset, 13), 21))


def test_a_new_operator_that_is_made_of_old_ones(tmp_path: Path) -> None:
    made = canonical(tmp_path, activations(24, 12, "Swish", "HardSwish"))
    assert opset_of(made) == 21
    assert kinds(made) == ["Conv", "Sigmoid", "Mul", "HardSwish"]


def test_a_new_operator_keeps_its_opset(tmp_path: Path) -> None:
    made = canonical(tmp_path, activations(24, 12, "RMSNormalization"))
    assert (made.ir_version, opset_of(made)) == (10, 24)
    assert kinds(made) == ["Conv", "RMSNormalization"]


@pytest.mark.parametrize(("opset", "ir"), [(22, 10), (23, 10), (24, 12)])
def test_a_new_opset_hides_no_batch_norm(tmp_path: Path, opset: int, ir: int) -> None:
    """Also where it must stay, for an operator that no older one has."""
    kind = "RMSNormalization" if opset > 22 else "Relu"
    made = canonical(tmp_path, activations(opset, ir, "BatchNormalization", kind))
    assert opset_of(made) == (opset if opset > 22 else 21)
    assert kinds(made) == ["Conv", kind]


@pytest.mark.parametrize(("opset", "ir"), [(12, 8), (18, 10), (24, 12)])
def test_functions_of_the_model_are_inlined(tmp_path: Path, opset: int, ir: int) -> None:
    made = canonical(tmp_path, with_functions(opset, ir))
    assert kinds(made) == ["Conv", "Sigmoid", "Mul", "Sigmoid", "Mul"]


def test_weights_in_a_second_file_make_the_same_graph(tmp_path: Path) -> None:
    model = classifier(18)
    assert canonical(tmp_path, model) == canonicalize(model, SHAPE)


@pytest.mark.parametrize(("opset", "ir"), [(13, 14), (24, 12)])
def test_int8_of_new_versions_is_loaded_everywhere(tmp_path: Path, opset: int, ir: int) -> None:
    made = canonical(tmp_path, activations(opset, ir, "Relu"))
    lowered = lower(made, record(made, image()))
    assert lowered.ir_version <= 10
    assert opset_of(lowered) <= 21
    assert layer_counts(lowered) == (1, 1)
    np.testing.assert_allclose(run(lowered), run(made), atol=0.1)
