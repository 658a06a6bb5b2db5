"""What the backends load: from a model's file to FP32 and INT8 artifacts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.artifacts import Artifact, file_digest
from fqbench.cells import Cell
from fqbench.data.calibration import calibration_hash
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Steps
from fqbench.spec import ModelSpec

METHOD = "offline"
ALGORITHM = "hist"


@dataclass(frozen=True)
class Quantized:
    """Where a quantization is stored, the hash of its images, and how long it took."""

    key: str
    path: Path
    calibration: str
    seconds: float


@dataclass(frozen=True)
class Lowered:
    """Convolutions of a model, and those of them with INT8 weights and input."""

    convolutions: int
    quantized: int


class Build:
    """Artifacts of one model, each made when first asked for.

    ``inputs`` are the names of the model's inputs, in its order. Raises StepError where a step
    fails, and UsageError where the calibration images do not fit.
    """

    def __init__(
        self, spec: ModelSpec, inputs: tuple[str, ...], images: Images, steps: Steps
    ) -> None:
        self._spec, self._inputs, self._images, self._steps = spec, inputs, images, steps

    def artifact(self, cell: Cell) -> Artifact:
        """What ``cell``'s backend loads."""
        if cell.precision == "int8_file":
            return self._given(cell.backend)
        if cell.precision == "fp32":
            return self.canonical if cell.backend == "onnxruntime" else self._program
        inputs = {
            "canonical": self.canonical.key,
            "quantization": self.quantization.key,
        }
        arguments: dict[str, Any] = {
            "canonical": str(self.canonical.path),
            "quantization": str(self.quantization.path),
        }
        if cell.backend == "paddle":
            inputs["program"] = self._program.key
            arguments["program"] = str(self._program.path)
        return self._steps.make(
            f"lower_{cell.backend}", inputs, arguments, ("onnx", "paddlepaddle")
        )

    @cached_property
    def canonical(self) -> Artifact:
        """The canonical ONNX graph of the source."""
        spec = self._spec
        inputs = {"source": _digests(spec), "input_shape": list(spec.input_shape)}
        arguments = {
            "source": str(spec.model),
            "params": str(spec.params),
            "input_shape": list(spec.input_shape),
        }
        return self._steps.make(
            "canonical", inputs, arguments, ("onnx", "onnxruntime", "paddle2onnx")
        )

    @cached_property
    def quantization(self) -> Quantized:
        """Scales, from the calibration images. Raises UsageError where those are evaluated."""
        spec = self._spec
        images = self._images.calibration
        preprocess = spec.preprocess.model_dump(mode="json")
        inputs = {
            "program": self._program.key,
            "canonical": self.canonical.key,
            "images": calibration_hash(images),
            "preprocess": preprocess,
            "algorithm": ALGORITHM,
            "inputs": list(self._inputs),
        }
        arguments = {
            "program": str(self._program.path),
            "canonical": str(self.canonical.path),
            "images": [str(path) for path in images],
            "preprocess": preprocess,
            "algorithm": ALGORITHM,
            "inputs": list(self._inputs),
        }
        libraries = ("paddlepaddle", "paddleslim")
        made = self._steps.make("quantize_offline", inputs, arguments, libraries, len(images))
        seconds = json.loads(made.file("timing.json").read_text())["seconds"]
        return Quantized(made.key, made.path, str(inputs["images"]), float(seconds))

    def lowering(self, cell: Cell) -> Lowered:
        """How many convolutions the artifact of an INT8 cell has, and how many are quantized."""
        plan = json.loads(self.artifact(cell).file("plan.json").read_text())
        return Lowered(plan["convolutions"], plan["quantized"])

    def _given(self, backend: str) -> Artifact:
        """The spec's own INT8 file as ``backend`` loads it."""
        spec = self._spec.of_int8_file
        if spec is None:
            raise ValueError(f"the spec of {self._spec.name} names no INT8 file")
        return self._steps.make(
            "given_int8",
            {"source": _digests(spec), "backend": backend},
            {"source": str(spec.model), "params": str(spec.params), "backend": backend},
            ("onnx", "paddle2onnx"),
        )

    @cached_property
    def _program(self) -> Artifact:
        """The canonical graph as a Paddle inference model."""
        canonical = self.canonical
        return self._steps.make(
            "paddle_program",
            {"canonical": canonical.key},
            {"canonical": str(canonical.path)},
            ("paddlepaddle", "x2paddle"),
        )


def _digests(spec: ModelSpec) -> list[str]:
    """SHA-256 of the model's file, and of Paddle's parameters."""
    files = [spec.model]
    if spec.source_format == "paddle":
        files.append(spec.params or spec.model.with_suffix(".pdiparams"))
    return [file_digest(path) for path in files]
