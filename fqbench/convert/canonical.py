"""The canonical ONNX graph: batch 1, opset 13 or later, constants folded, plain names.

Everything after this step works on this one graph, whatever the model came as. The folding is
done by ONNX Runtime's own basic optimizer, so that what is quantized is what is deployed.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import accumulate
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import inliner, version_converter
from onnx.numpy_helper import to_array

from fqbench.convert.affine import fold_affine
from fqbench.convert.gemm import normalize_gemms
from fqbench.convert.hard_swish import hard_swishes
from fqbench.convert.inputs import OwnInputs, with_plain_inputs
from fqbench.convert.precision import in_float32
from fqbench.convert.products import products_as_layers
from fqbench.convert.shuffles import gathers_as_shuffles
from fqbench.convert.simplify import simplify
from fqbench.errors import StepError
from fqbench.graph import checking
from fqbench.graph.graph import Graph, add_constant, attributes, replace_items

OPSET = 13
"""First opset whose DequantizeLinear takes one scale per channel."""

FREE_WEIGHTS = 4
"""First IR version whose weights need not be inputs."""

NO_CHANGE = {("Cast", "round_mode"): b"up", ("CastLike", "round_mode"): b"up"}
"""Attributes that opsets after ``checking.OPSET`` added, and values that change nothing."""


def canonicalize(
    model: onnx.ModelProto, image_shape: Sequence[int | str], own: OwnInputs | None = None
) -> onnx.ModelProto:
    """Return the canonical form of ``model``; computes the same function at batch 1, in float32.

    ``image_shape`` (N, C, H, W) fills the free dimensions of inputs of four dimensions; one with a
    name stays free. ``own``: the inputs of the model's file where it takes others than one image
    of float32, channels first.

    Functions that the model brings with it are inlined, by ONNX Runtime. One of a newer IR or
    opset than every supported version of ONNX Runtime optimizes is written in an older one, where
    that has its operators.

    Raises StepError where the graph cannot be loaded by ONNX Runtime.
    """
    model = in_float32(_without_weights_among_inputs(model))
    if own is not None:
        model = with_plain_inputs(model, own, image_shape)
    folded = _fold(_at_least_opset(_with_fixed_shape(model, image_shape), OPSET))
    if folded.ir_version > checking.IR or checking.opset_of(folded) > checking.OPSET:
        folded = _in_older_version(folded)
    folded, changed = simplify(folded)
    if changed:
        folded = _fold(folded)
    # After the optimizer, which would fold a Transpose into transA again.
    folded = gathers_as_shuffles(_without_empty_ends(folded))
    folded = fold_affine(hard_swishes(normalize_gemms(products_as_layers(folded))))
    sliced = _with_axes_from_the_first(_without_uneven_splits(folded))
    named = _with_plain_names(_with_plain_attributes(sliced))
    return onnx.shape_inference.infer_shapes(named)


def _without_weights_among_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` whose weights are no inputs, as they are up to IR version 3: nobody feeds them.

    As inputs, which may change, they would be folded into nothing.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    if weights.isdisjoint(value.name for value in model.graph.input):
        return model
    result = deepcopy(model)
    inputs = result.graph.input
    replace_items(inputs, [value for value in inputs if value.name not in weights])
    result.ir_version = max(result.ir_version, FREE_WEIGHTS)
    return result


def _with_fixed_shape(model: onnx.ModelProto, image_shape: Sequence[int | str]) -> onnx.ModelProto:
    result = deepcopy(model)
    weights = {tensor.name for tensor in result.graph.initializer}
    for value in result.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in weights:
            continue
        for index, dim in enumerate(dims):
            if dim.dim_value <= 0:
                size = image_shape[index] if len(dims) == 4 else (1, 2)[min(index, 1)]
                if isinstance(size, str):
                    dim.dim_param = size
                else:
                    dim.dim_value = size
    # Shapes stated for free dimensions would contradict the fixed ones.
    del result.graph.value_info[:]
    return result


def _at_least_opset(model: onnx.ModelProto, version: int) -> onnx.ModelProto:
    if checking.opset_of(model) < version and model.functions:  # The converter drops them.
        model = inliner.inline_local_functions(model)
    if checking.opset_of(model) >= version:
        return model
    return version_converter.convert_version(model, version)


def _in_older_version(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` in ``checking.IR``, and in ``checking.OPSET`` where it is newer.

    It stays in its opset where an operator of it is not in the older one. Most later versions of
    operators only take more types; whether the result is the same is checked as everything is.
    A release loads newer opsets than its optimizer knows: ONNX Runtime 1.23 loads opset 23, and
    folds and fuses nothing into a Conv of 22.
    """
    model.ir_version = min(model.ir_version, checking.IR)
    if checking.opset_of(model) <= checking.OPSET:
        return model
    older = onnx.ModelProto()
    older.CopyFrom(model)
    for known in older.opset_import:
        if known.domain in ("", "ai.onnx"):
            known.version = checking.OPSET
    for node in older.graph.node:
        kept = [
            attribute
            for attribute in node.attribute
            if NO_CHANGE.get((node.op_type, attribute.name)) != attribute.s
        ]
        del node.attribute[:]
        node.attribute.extend(kept)
    try:
        return _fold(older)
    except StepError:
        return model


def _fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, batch norms and paddings by ONNX Runtime's basic optimizations."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 3
        try:
            ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own exceptions share no base class
            first_line = str(error).strip().splitlines()[0]
            raise StepError(f"ONNX Runtime cannot load the model: {first_line}") from error
        return onnx.load(str(target))


def _without_empty_ends(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the empty names of optional inputs, as of a bias, that no input follows."""
    for node in model.graph.node:
        while node.input and not node.input[-1]:
            del node.input[-1]
    return model


def _without_uneven_splits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write splits into parts of different sizes as slices, so that each part has a node."""
    graph = model.graph
    known = Graph(onnx.shape_inference.infer_shapes(model))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        parts = _parts(known, node) if _is(node, "Split", 1) else []
        if 0 in parts:
            node = _by_sizes(graph, node, parts)
        if 0 in parts or len(set(parts)) < 2:
            nodes.append(node)
            continue
        axis = attributes(node).get("axis", 0)
        for target, size, end in zip(node.output, parts, accumulate(parts), strict=True):
            bounds = {"starts": end - size, "ends": end, "axes": axis}
            names = [
                add_constant(graph, f"{target}_{key}", np.array([value], np.int64))
                for key, value in bounds.items()
            ]
            nodes.append(onnx.helper.make_node("Slice", [node.input[0], *names], [target]))
    replace_items(graph.node, nodes)
    return model


def _parts(graph: Graph, split: onnx.NodeProto) -> list[int]:
    """The sizes of a Split's parts; none where they are not known.

    Of a number of parts that does not divide the whole, the last is smaller.
    """
    if len(split.input) > 1 and split.input[1] in graph.weights:
        return [int(size) for size in to_array(graph.weights[split.input[1]])]
    given, shape = attributes(split), graph.shape(split.input[0])
    if shape is None or "num_outputs" not in given:
        return []
    whole = shape[given.get("axis", 0)]
    each = -(-whole // given["num_outputs"])
    return [max(min(each, whole - each * part), 0) for part in range(given["num_outputs"])]


def _by_sizes(graph: onnx.GraphProto, split: onnx.NodeProto, sizes: list[int]) -> onnx.NodeProto:
    """``split`` with its ``sizes`` as an input: by number, ONNX Runtime 1.23 has no empty part."""
    given = add_constant(graph, f"{split.output[0]}_sizes", np.array(sizes, np.int64))
    axis = attributes(split).get("axis", 0)
    inputs = [split.input[0], given]
    return onnx.helper.make_node("Split", inputs, split.output, split.name, axis=axis)


def _is(node: onnx.NodeProto, kind: str, inputs: int) -> bool:
    """Whether ``node`` is ONNX's own operator ``kind`` with so many inputs or more."""
    return node.op_type == kind and node.domain in ("", "ai.onnx") and len(node.input) >= inputs


def _with_axes_from_the_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Count the axes of slices from the first, so that equal slices look alike."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    described = (*graph.input, *graph.value_info, *graph.output)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in described}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        given = constants.get(node.input[3]) if _is(node, "Slice", 4) else None
        axes = to_array(given) if given is not None else np.zeros(0)
        if (axes < 0).any() and node.input[0] in ranks:
            rank, name = ranks[node.input[0]], f"{node.output[0]}_axes_from_first"
            counted = np.where(axes < 0, axes + rank, axes).astype(axes.dtype)
            node.input[3] = add_constant(model.graph, name, counted)
    return model


def _with_plain_attributes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop attributes of poolings at their default, write the shape of kernels that have none."""
    refused = {"dilations": [1, 1], "storage_order": 0, "ceil_mode": 0}
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MaxPool":
            dropped = {name for name, v in attributes(node).items() if refused.get(name) == v}
            replace_items(node.attribute, (a for a in node.attribute if a.name not in dropped))
        missing = node.op_type == "Conv" and "kernel_shape" not in attributes(node)
        if missing and node.input[1] in shapes:
            kernel = shapes[node.input[1]][2:]
            node.attribute.append(onnx.helper.make_attribute("kernel_shape", kernel))
    return model


def _with_plain_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rename tensors and nodes to identifiers; names that are identifiers stay.

    They stand in messages, in other programs and in code that tools write.
    """
    result = deepcopy(model)
    names: dict[str, str] = {"": ""}
    taken: set[str] = set()

    def renamed(name: str) -> str:
        if name not in names:
            stem = identifier(name)
            candidate, count = stem, 1
            while candidate in taken:
                count += 1
                candidate = f"{stem}_{count}"
            taken.add(candidate)
            names[name] = candidate
        return names[name]

    _rename(result.graph, renamed)
    return result


def identifier(name: str) -> str:
    """``name`` as an identifier, which others may become, too; one that is one stays."""
    stem = re.sub(r"\W", "_", name, flags=re.ASCII)
    return stem if re.match(r"[A-Za-z_]", stem) else f"t_{stem}"


def _rename(graph: onnx.GraphProto, renamed: Callable[[str], str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = renamed(value.name)
    for index, node in enumerate(graph.node):
        node.name = renamed(node.name or f"{node.op_type}_{index}")
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, renamed)
