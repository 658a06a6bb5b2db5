"""What a child process that reads a model's file is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from fqbench.jsonvalue import Json
from fqbench.message import Message
from fqbench.tasks.record import Shape

Shapes = Mapping[str, Shape]
"""Of inputs or outputs, by name, in the model's order; -1 where a size is free."""


class ModelFile(Message):
    """A model's file to be read, and that of its parameters where they are in one of their own.

    ``quantized``: whether it may be quantized already.
    """

    model: Path
    params: Path | None = None
    quantized: bool = False


@dataclass(frozen=True)
class Contents:
    """Inputs and outputs of a model's file; ``nms``: settings of the suppression it ends in.

    ``data_files``: paths of files that hold weights beside an ONNX file. ``types``: of inputs by
    name, as numpy calls them, where they are not float32; ``half``: whether it computes in 16 bits.
    ``metadata``: what an ONNX file notes beside its graph.
    """

    inputs: Shapes
    outputs: Shapes
    nms: Mapping[str, int | float]
    data_files: tuple[Path, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    half: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """As the other side reads it."""
        content: dict[str, Json] = CONTENTS.dump_python(self, mode="json")
        return content


CONTENTS = TypeAdapter(Contents)
"""Reads what ``Contents.to_json`` wrote."""
