"""ONNX's backend tests of nodes that a vision model may hold, as models that fqbench takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

from fqbench.graph.graph import replace_items

Arrays = list[NDArray[Any]]

TYPES = {TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}

OTHERS = {
    "Adagrad",
    "Adam",
    "Bernoulli",
    "BlackmanWindow",
    "ConcatFromSequence",
    "ConvInteger",
    "DFT",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "Gradient",
    "HammingWindow",
    "HannWindow",
    "If",
    "ImageDecoder",
    "Loop",
    "MatMulInteger",
    "MelWeightMatrix",
    "Momentum",
    "Multinomial",
    "NegativeLogLikelihoodLoss",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RandomNormalLike",
    "RandomUniformLike",
    "RegexFullMatch",
    "ReverseSequence",
    "STFT",
    "Scan",
    "SequenceAt",
    "SequenceInsert",
    "SequenceMap",
    "SoftmaxCrossEntropyLoss",
    "SplitToSequence",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "TfIdfVectorizer",
}
"""Operators of training, text, sound, sequences and quantized numbers, and those that choose graphs
as they run."""

CONSTANTS_APART = 4
"""The IR version from which on constants need not be inputs, too."""


@dataclass(frozen=True)
class Case:
    """A model, the tensors of its inputs, and what its outputs are by ONNX's reference."""

    name: str
    model: onnx.ModelProto
    feed: Arrays
    wanted: Arrays


def _tests() -> list[Any]:
    """ONNX's own, some of which overflow on purpose while they are made."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind="node"))


def cases() -> Iterator[Case]:
    """All of them that float32 tensors go through.

    As a vision model holds an operator, all inputs but the first float32 one are constants; where
    there are several of float32, also as it stands, with all of them fed.
    """
    for test in _tests():
        # Newer releases make their tests where older ones brought files.
        made = test.model_dir is None
        model = test.model if made else onnx.load(str(Path(test.model_dir) / "model.onnx"))
        if not _is_ours(model):
            continue
        if made:
            tensors = [_of_tensors(values) for values in test.data_sets[0]]
        else:
            tensors = [_tensors(Path(test.model_dir), kind) for kind in ("input", "output")]
        if any(found is None for found in tensors):
            continue
        inputs, wanted = (found or [] for found in tensors)
        floats = [i for i, value in enumerate(inputs) if value.dtype == np.float32]
        if not floats or len(inputs) != len(model.graph.input):
            continue
        name = test.name.removeprefix("test_")
        yield _fed(name, model, inputs, wanted, floats[:1])
        if len(floats) > 1:
            yield _fed(f"{name} of several inputs", model, inputs, wanted, floats)


def _is_ours(model: onnx.ModelProto) -> bool:
    nodes = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    if any(node.op_type in OTHERS or node.domain not in ("", "ai.onnx") for node in nodes):
        return False
    ends = (*model.graph.input, *model.graph.output)
    return all(value.type.tensor_type.elem_type in TYPES for value in ends)


def _of_tensors(values: Sequence[Any]) -> Arrays | None:
    """The values as arrays that may be written; None where one is no tensor."""
    if not all(isinstance(value, np.ndarray) for value in values):
        return None
    kinds = (onnx.helper.np_dtype_to_tensor_dtype(value.dtype) for value in values)
    return [np.array(value) for value in values] if all(k in TYPES for k in kinds) else None


def _tensors(folder: Path, kind: str) -> Arrays | None:
    """The stored inputs or outputs; None where one is missing or no tensor."""
    found = []
    while (path := folder / "test_data_set_0" / f"{kind}_{len(found)}.pb").is_file():
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        if tensor.data_type not in TYPES:
            return None
        # Of a runtime whose input tensors are these arrays, they must be writable.
        found.append(np.array(numpy_helper.to_array(tensor)))
    return found


def _fed(name: str, model: onnx.ModelProto, inputs: Arrays, wanted: Arrays, fed: list[int]) -> Case:
    """The model with the inputs ``fed`` left, all others constants."""
    result = deepcopy(model)
    result.ir_version = max(result.ir_version, CONSTANTS_APART)
    values = list(result.graph.input)
    replace_items(result.graph.input, [values[i] for i in fed])
    result.graph.initializer.extend(
        numpy_helper.from_array(inputs[i], value.name)
        for i, value in enumerate(values)
        if i not in fed and value.name
    )
    return Case(name, result, [inputs[i] for i in fed], wanted)
