"""What an engine computes, and in which types.

TensorRT tells it of an engine that is loaded (``inspected``), for which it needs a GPU. TensorRT
for RTX builds without one: the engine's file holds the compiled program as text, each operation
with its operands and their types, and ``compiled`` reads that. It is what the GPU will be given:
which kernel computes an operation is chosen there, the types of what it reads and writes are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fqbench.backends.tensorrt.library import Library
from fqbench.backends.tensorrt.log import last_errors, listener
from fqbench.errors import StepError

LAYERS = "layers.json"

PRODUCTS = re.compile(r"corrltn|conv|gemm|fully_connected|matmul|matrixmultiply|fusion", re.I)
"""Kinds of layers that multiply by weights, as either library calls them."""

INT8, FP16, FP32, UNKNOWN = "int8", "fp16", "fp32", "unknown"
TYPES = {"int8": INT8, "half": FP16, "fp16": FP16, "float": FP32, "fp32": FP32}
"""Our names of types, by the words that the libraries use."""

TYPE_KEYS = ("DataType", "Datatype", "Format/Datatype", "Format")
"""Where the inspector tells the type of an operand; the format names it too."""

_PROGRAM = re.compile(rb"header \{\n")
_TENSOR = re.compile(r'^ +(?:sub_)?tensor=\{[^\n]* name="([^"]+)"[^\n]* type=(\w+) \}', re.M)
_OPERATION = re.compile(r"^  (?=\w+=\{ name=)", re.M)
_CALLED = re.compile(r'(\w+)=\{ name="?([^"\s]+)')
_READ = re.compile(r"\binput(?:_args)?=\{ ?([^}]*)\}")
_WRITTEN = re.compile(r"\boutput(?:_args)?=\{ ?([^}]*)\}")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


@dataclass(frozen=True)
class Layer:
    """One operation of an engine.

    ``nodes``: names of the ONNX nodes it stands for; ``reads`` and ``writes``: the types of its
    operands in the library's order: ``int8``, ``fp16``, ``fp32``, ``unknown`` or as it calls it.
    ``factors``: how many of ``reads``, from the first one, a product multiplies.
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    factors: int = 2


def layers(library: Library, engine: bytes) -> tuple[Layer, ...]:
    """The layers of a serialized ``engine``; none where it does not tell them."""
    return compiled(engine) if library.ahead else inspected(library, engine)


def compiled(engine: bytes) -> tuple[Layer, ...]:
    """The operations of all programs in an engine that was built ahead of time."""
    starts = [match.start() for match in _PROGRAM.finditer(engine)]
    ends = [*starts[1:], len(engine)]
    # One byte is one character, so that no weight between the texts is an error.
    texts = (engine[a:b].decode("latin-1") for a, b in zip(starts, ends, strict=False))
    return tuple(layer for text in texts for layer in _operations(text))


def _operations(program: str) -> Iterable[Layer]:
    types = {name: _type(kind) for name, kind in _TENSOR.findall(program)}
    for part in _OPERATION.split(program)[1:]:
        text = part.partition("\n}")[0]
        called = _CALLED.match(text)
        if called is not None:
            reads, writes = (
                tuple(types.get(name, UNKNOWN) for name in _operands(kind, text))
                for kind in (_READ, _WRITTEN)
            )
            yield Layer(called[1], called[2], tuple(_NODE.findall(text)), reads, writes)


def _operands(kind: re.Pattern[str], operation: str) -> list[str]:
    """Names of the tensors of one ``kind`` in the text of an operation."""
    found = kind.search(operation)
    return [] if found is None else found[1].split('"')[1::2]


def inspected(library: Library, engine: bytes) -> tuple[Layer, ...]:
    """The layers as the library's own inspector tells them. Needs a GPU."""
    module = library.load()
    log = listener(module)
    loaded = module.Runtime(log).deserialize_cuda_engine(engine)
    if loaded is None:
        raise StepError(f"{library.name} does not load its engine: {last_errors(log.errors)}")
    inspector = loaded.create_engine_inspector()
    text = inspector.get_engine_information(module.LayerInformationFormat.JSON)
    return from_json(json.loads(text).get("Layers", ()))


def from_json(described: Iterable[Any]) -> tuple[Layer, ...]:
    """Layers of the inspector's JSON; one that is a name only tells nothing and is left out.

    It lists no weights among what a layer reads: what follows the data is a sum's other summand.
    """
    return tuple(
        Layer(
            str(each.get("LayerType", "")),
            str(each.get("Name", "")),
            tuple(_NODE.findall(str(each.get("Metadata", "")))),
            tuple(map(_operand_type, each.get("Inputs", ()))),
            tuple(map(_operand_type, each.get("Outputs", ()))),
            factors=1,
        )
        for each in described
        if isinstance(each, Mapping)
    )


def _operand_type(operand: Mapping[str, object]) -> str:
    """TensorRT 10 tells format and type of an operand together, 11 each by itself."""
    return _type(str(next((operand[key] for key in TYPE_KEYS if key in operand), "")))


def _type(described: str) -> str:
    """The type in a description such as ``Row major Int8 format`` or ``float``."""
    words = re.findall(r"[a-z]+\d*", described.lower())
    return next((TYPES[word] for word in words if word in TYPES), described)


def layer_types(found: Iterable[Layer], names: Iterable[str]) -> dict[str, str]:
    """Of each convolution or fully connected layer, by its ONNX node, the type it multiplies in.

    It is int8 where data and weights are, and UNKNOWN where no layer of the engine names it.
    """
    found = tuple(found)
    products = [layer for layer in found if PRODUCTS.search(layer.kind)]
    # A layer of its own name before one that fuses it with others, and these before one that adds
    # its bias; the first of each.
    ways = (
        {layer.name: _product(layer) for layer in reversed(products)},
        {node: _product(layer) for layer in reversed(products) for node in layer.nodes},
        {node: _multiplied(layer.reads) for layer in reversed(found) for node in layer.nodes},
    )
    return {name: next((way[name] for way in ways if name in way), UNKNOWN) for name in names}


def _product(layer: Layer) -> str:
    return _multiplied(layer.reads[: layer.factors])


def _multiplied(operands: tuple[str, ...]) -> str:
    """The type of a product: codes that meet a number of another type are dequantized for it."""
    return next((kind for kind in operands if kind != INT8), INT8 if operands else UNKNOWN)


def int8_layers(types: Mapping[str, str]) -> frozenset[str]:
    """Those of ``layer_types`` that multiply int8 codes."""
    return frozenset(name for name, kind in types.items() if kind == INT8)


def write(folder: Path, types: Mapping[str, str], found: Iterable[Layer]) -> None:
    """Write ``layer_types`` and the layers they were found by beside the engine in ``folder``."""
    told = {"types": dict(types), "layers": [asdict(layer) for layer in found]}
    (folder / LAYERS).write_text(json.dumps(told, indent=1))


def read_types(folder: Path) -> dict[str, str]:
    """What ``write`` was given as types."""
    types: dict[str, str] = json.loads((folder / LAYERS).read_text())["types"]
    return types
