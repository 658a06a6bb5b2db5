"""Inputs and outputs of a model's file; runs in a child process, since files are untrusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fqbench.convert.nms import OPERATORS
from fqbench.errors import UsageError
from fqbench.fileio import LFS_POINTER
from fqbench.isolate import Report
from fqbench.jsonvalue import Json
from fqbench.spec.contents import Contents, ModelFile

NMS_SETTINGS = {"score": "score_threshold", "iou": "nms_threshold", "max_boxes": "keep_top_k"}
"""Keys of a decoder, and what Paddle's operator calls them."""

AGAIN = "export the model again"
BY_PADDLE = "export it by paddle.static.save_inference_model"

HEAD = 512

LONGEST_METADATA = 2**20
"""Letters of a note in a file; longer ones are of no use here."""


def inspect_onnx(arguments: Mapping[str, Json], report: Report) -> dict[str, Json]:
    """The ``Contents`` of an ONNX file, a ``ModelFile``, as JSON.

    Raises UsageError where it is none, is cut off or too new, or where its data cannot be read.
    """
    import onnx

    from fqbench.graph import external_data
    from fqbench.graph.checking import check, unreadable_version
    from fqbench.graph.kinds import is_half, quantized_by, type_name

    file = ModelFile.model_validate(arguments)
    path = file.model
    external_data.check_size(path, path.stat().st_size)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf's exceptions are not onnx's to promise
        raise UsageError(f"{path} is not a whole ONNX model: {_guess(path, AGAIN)}") from error
    if not model.graph.node:
        raise UsageError(f"{path} is not a whole ONNX model: {_guess(path, AGAIN)}")
    data_files = external_data.embed(model, path)
    kinds = () if file.quantized else quantized_by(model)
    try:
        check(model)
    except Exception as error:  # the checker raises ValidationError, its parser others
        if kinds:
            raise UsageError(f"{already_quantized(path, kinds)}; {_unloadable(error)}") from error
        version = unreadable_version(model)
        if version is not None:
            raise UsageError(
                f"{path} has {version}: export it for an older version of ONNX, or install a newer"
                " onnxruntime"
            ) from error
        raise UsageError(
            f"{path} is not a valid ONNX model: {_line(error)}; export it again"
        ) from error
    if kinds:
        raise UsageError(already_quantized(path, kinds))
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    types = {value.name: type_name(value.type.tensor_type.elem_type) for value in inputs}
    metadata = {
        entry.key: entry.value
        for entry in model.metadata_props
        if len(entry.value) <= LONGEST_METADATA
    }
    return Contents(
        _onnx_shapes(inputs),
        _onnx_shapes(model.graph.output),
        {},
        tuple(data_files),
        {name: kind for name, kind in types.items() if kind != "float32"},
        is_half(model),
        metadata,
    ).to_json()


def already_quantized(path: Path, kinds: Iterable[str]) -> str:
    """What to do with a model that is quantized by operators of these ``kinds``."""
    return (
        f"{path} is quantized already ({', '.join(kinds)}): give the float model as model, and this"
        " file as int8.model, by which fqbench run measures it beside that"
    )


def _unloadable(error: Exception) -> str:
    return f"no runtime loads it as it is ({_line(error)}): quantize it for opset 13 or later"


def _onnx_shapes(values: Any) -> dict[str, list[int]]:
    return {
        value.name: [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else -1
            for dim in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def inspect_paddle(arguments: Mapping[str, Json], report: Report) -> dict[str, Json]:
    """The ``Contents`` of a Paddle inference model, a ``ModelFile``, as JSON.

    Raises UsageError where it is none.
    """
    import paddle

    file = ModelFile.model_validate(arguments)
    model, params = file.model, file.params
    assert params is not None
    content = model.read_bytes()
    block = _main_block(model, content)
    found = _paddle_contents(model, block)
    paddle.enable_static()
    try:
        program = paddle.static.deserialize_program(content)
        executor = paddle.static.Executor(paddle.CPUPlace())
        paddle.static.deserialize_persistables(program, params.read_bytes(), executor)
    except Exception as error:  # Paddle's native exceptions share no base class
        raise UsageError(
            f"{params} does not hold the parameters of {model.name}: it is cut off, damaged or of"
            " another model"
            ": export both files again"
        ) from error
    return found.to_json()


def _main_block(path: Path, content: bytes) -> Any:
    """The program's first block, read by protobuf: Paddle itself crashes where there is none."""
    from paddle.base.proto import framework_pb2

    program = framework_pb2.ProgramDesc()
    try:
        program.ParseFromString(content)
        block = program.blocks[0]
    except Exception as error:  # no block, or what the installed protobuf raises
        raise UsageError(
            f"{path} is not a whole Paddle inference model: {_guess(path, BY_PADDLE)}"
        ) from error
    if not any(op.type == "feed" for op in block.ops):
        raise UsageError(f"{path} has no inputs: export it by paddle.static.save_inference_model")
    return block


def _paddle_contents(path: Path, block: Any) -> Contents:
    from paddle.base.proto import framework_pb2

    tensors = {variable.name: variable.type.lod_tensor.tensor for variable in block.vars}
    inputs = [name for _, name in sorted(_ends(block, "feed"))]
    outputs = [name for _, name in sorted(_ends(block, "fetch"))]
    for name in (*inputs, *outputs):
        if name not in tensors:
            raise UsageError(f"{path} does not describe its variable {name!r}: export it again")
    for name in inputs:
        if tensors[name].data_type != framework_pb2.VarType.FP32:
            raise UsageError(
                f"{path}: input {name!r} is not of type float32: export it with that, or as ONNX"
            )
    return Contents(
        {name: list(tensors[name].dims) for name in inputs},
        {name: list(tensors[name].dims) for name in outputs},
        _nms(block),
    )


def _nms(block: Any) -> dict[str, float]:
    """Settings of the non-maximum suppression that the model holds; none where it holds none."""
    for op in block.ops:
        if op.type in OPERATORS:
            values = {attribute.name: attribute.f or attribute.i for attribute in op.attrs}
            return {key: values[name] for key, name in NMS_SETTINGS.items() if name in values}
    return {}


def _ends(block: Any, kind: str) -> Iterator[tuple[int, str]]:
    """Place and name of what the program is given ("feed") or gives ("fetch")."""
    for op in block.ops:
        if op.type == kind:
            slots = op.outputs if kind == "feed" else op.inputs
            yield next(a.i for a in op.attrs if a.name == "col"), slots[0].arguments[0]


def _guess(path: Path, how: str) -> str:
    """What a file that cannot be parsed may be, by its first bytes, and ``how`` to get another."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return f"it is empty: {how}"
    if head.startswith(LFS_POINTER):
        return "it is a pointer of Git LFS, get the file itself by git lfs pull"
    if head.startswith(b"PK"):
        return f"it is a zip archive, as PyTorch's own files are: {how}"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return f"it is a text file: {how}"
    return f"it is cut off, damaged or of another format: {how}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
