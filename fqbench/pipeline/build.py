"""What the backends load: from a model's file to FP32 and INT8 artifacts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.artifacts import Artifact, file_digest
from fqbench.backends import form_of
from fqbench.backends.base import PROBED
from fqbench.backends.tensorrt.library import LIBRARIES, Capability
from fqbench.cells import Cell
from fqbench.data.calibration import calibration_hash, spread
from fqbench.machine import cpu, versions
from fqbench.margins import Margins
from fqbench.pipeline.engines import Engines
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Steps
from fqbench.spec import ModelSpec
from fqbench.spec.model import Method
from fqbench.tasks.registry import metrics
from fqbench.tune.choice import Choice

JUDGED_PIXELS = 8 * 640 * 640
FEWEST_JUDGING, MOST_JUDGING = 8, 64
"""How much of the calibration images tells what rounding a layer costs, and how many at least and
at most: small images are quick to judge by, and each says less."""

THREADS = 1
"""Of the runtime whose speed decides: as latency is reported by default."""

PAYING = 0.98
"""INT8 must take less of FP32's time than this to be used: less is noise."""

SATURATING_IMAGES = 4
"""Calibration images that layers which saturate are counted on."""

HALF_IMAGES = 4
"""Calibration images that tell which tensors do not fit float16."""

CHECKED = 3
"""Images on which each rewritten model is run beside its source."""

TENSORRT = tuple(LIBRARIES)
"""Backends that share one INT8 form of a model."""

RUNNING = ("onnx", "onnxruntime", "numpy", "pillow", "scipy")
LOWERING = {
    "onnxruntime": ("onnx", "onnxruntime"),
    "paddle": ("paddlepaddle", "x2paddle"),
    "tensorrt": RUNNING,
}
"""Libraries that a step's result depends on."""


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

    ``inputs`` are the names of the model's inputs, in its order, ``int8_inputs`` those of the
    spec's INT8 file, where they differ; ``method`` is how INT8 models are made. Raises StepError
    where a step fails, and UsageError where the calibration images do not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        inputs: tuple[str, ...],
        images: Images,
        steps: Steps,
        margins: Margins,
        method: Method = "offline",
        int8_inputs: tuple[str, ...] | None = None,
    ) -> None:
        self._int8_inputs = int8_inputs or inputs
        self._spec, self._inputs, self._images, self._steps = spec, inputs, images, steps
        # Random weights answer nothing that is worth learning, and take as long untaught.
        self.method: Method = "offline" if spec.weights == "synthetic" else method
        self._margins = margins
        self._engines = Engines(steps)

    def artifact(self, cell: Cell, batch: int = 1) -> Artifact:
        """What ``cell``'s backend loads to run ``batch`` images at once.

        Of TensorRT it is an engine for the GPU of this machine. Raises NoGpu where there is none.
        """
        return self._loadable(cell.backend, self._of(cell, batch))

    def _of(self, cell: Cell, batch: int) -> Artifact:
        """The model of ``cell`` for ``batch`` images at once."""
        one = self.network(cell)
        return one if batch == 1 else self._batched(one, batch)

    def _loadable(self, backend: str, network: Artifact) -> Artifact:
        return self._engines.here(backend, network) if backend in TENSORRT else network

    def engine(self, cell: Cell, capability: Capability, batch: int = 1) -> Artifact:
        """The engine of a TensorRT ``cell`` for any GPU of ``capability``, built without one."""
        return self._engines.ahead(cell.backend, self._of(cell, batch), capability)

    def network(self, cell: Cell) -> Artifact:
        """The model of ``cell`` in the form that its backend loads, or builds its engine from."""
        if cell.precision in ("int8_file", "int8_file_exact"):
            return self._given(cell.backend)
        if cell.precision == "int8_all":
            return self._lowered(cell.backend, everything=True)
        if cell.precision == "int8" and self.pays(cell):
            return self.lowered(cell)
        if cell.precision == "fp16":
            return self._half
        return self._program if cell.backend == "paddle" else self.canonical

    def lowered(self, cell: Cell) -> Artifact:
        """The INT8 form of the model for ``cell``'s backend, whether or not it pays."""
        return self._lowered(cell.backend, everything=False)

    def pays(self, cell: Cell) -> bool:
        """Whether the INT8 form is used: where it is faster than FP32 by more than noise.

        On TensorRT it always is: FP16 beside it is what it has to be faster than.
        """
        slowdown = self.slowdown(cell)
        return self._spec.speed == "assumed" or slowdown is None or slowdown < PAYING

    def slowdown(self, cell: Cell) -> float | None:
        """How many times as long as FP32 the INT8 form takes, as timed when it was chosen.

        None on TensorRT, which is timed on its GPU only.
        """
        return self.choice(cell).slowdown

    @cached_property
    def _half(self) -> Artifact:
        """The canonical graph in float16."""
        key, images = self._overflow
        return self._steps.make(
            "half",
            {"canonical": self.canonical.key, **key},
            {"canonical": str(self.canonical.path), **images},
            RUNNING,
            HALF_IMAGES,
        )

    def choice(self, cell: Cell) -> Choice:
        """Which layers of an INT8 cell are in float, and why."""
        return Choice.read(self._chosen(cell.backend).file("choice.json"))

    def _lowered(self, backend: str, *, everything: bool) -> Artifact:
        """The INT8 form; of ``everything`` whatever the choice keeps in float."""
        backend = form_of(backend)
        made = {"quantization": self._quantized(backend), "choice": self._chosen(backend)}
        how = {"everything": everything}
        key, images = self._overflow if backend == "tensorrt" else self._checked
        return self._steps.make(
            f"lower_{backend}",
            {**{name: artifact.key for name, artifact in made.items()}, **how, **key},
            {**{name: str(artifact.path) for name, artifact in made.items()}, **how, **images},
            LOWERING[backend],
        )

    @cached_property
    def canonical(self) -> Artifact:
        """The canonical ONNX graph of the source."""
        spec = self._spec
        key, images = self._checked
        shape = {"input_shape": list(spec.input_shape)}
        paddle = ("paddlepaddle",) if spec.source_format == "paddle" else ()
        return self._steps.make(
            "canonical",
            {"source": _digests(spec), **shape, **key},
            {"source": str(spec.model), "params": str(spec.params), **shape, **images},
            (*RUNNING, "paddle2onnx", *paddle),
            CHECKED,
        )

    def quantization(self, cell: Cell) -> Quantized:
        """What the INT8 form of the model is made from. Raises UsageError for evaluated images.

        The time is that of all steps from the canonical graph to that form.
        """
        last = self._quantized(cell.backend)
        steps = (
            self._ranges,
            self._choice(cell.backend, self._ranges),
            last,
            self._chosen(cell.backend),
            self.lowered(cell),
        )
        seconds = sum(
            float(json.loads(artifact.file("timing.json").read_text())["seconds"])
            for artifact in {step.key: step for step in steps}.values()
        )
        return Quantized(last.key, last.path, calibration_hash(self._images.calibration), seconds)

    def _quantized(self, backend: str) -> Artifact:
        """Weights and ranges: the model's own weights, or those that a student learnt."""
        return self._student(backend) if self.method == "distillation" else self._ranges

    @cached_property
    def _ranges(self) -> Artifact:
        """Ranges, from the calibration images."""
        images = self._images.calibration
        recipe = {
            **self._reading,
            "offline": self._spec.offline.model_dump(mode="json"),
            "saturates": any(map(self._saturates, PROBED)),
        }
        return self._steps.make(
            "calibrate",
            {"canonical": self.canonical.key, "images": calibration_hash(images), **recipe},
            {
                "canonical": str(self.canonical.path),
                "images": [str(path) for path in images],
                **recipe,
            },
            RUNNING,
            len(images),
        )

    def _student(self, backend: str) -> Artifact:
        """What the FP32 model taught: of each backend its own, since each rounds otherwise."""
        backend = form_of(backend)
        images, settings = self._images.distillation, self._spec.distillation
        made = {"quantization": self._ranges, "choice": self._choice(backend, self._ranges)}
        described = {
            **self._reading,
            "decode": self._spec.decode.model_dump(mode="json"),
            "backend": backend,
            "metric": self._spec.metric,
            "distillation": settings.model_dump(mode="json", exclude={"images"}),
        }
        return self._steps.make(
            "distill",
            {
                **{name: artifact.key for name, artifact in made.items()},
                "images": calibration_hash(images),
                **described,
            },
            {
                **{name: str(artifact.path) for name, artifact in made.items()},
                "images": [str(path) for path in images],
                **described,
            },
            (*RUNNING, "paddlepaddle", "paddleslim", "x2paddle"),
            len(images) + settings.iterations * settings.batch_size,
            resumes=True,
        )

    def _chosen(self, backend: str) -> Artifact:
        return self._choice(backend, self._quantized(backend))

    def _choice(self, backend: str, quantization: Artifact) -> Artifact:
        """The choice of float layers for ``backend``, by some of the calibration images."""
        backend = form_of(backend)
        if backend == "paddle":
            _ = self._program  # What is refused in FP32 has no INT8 form either.
        height, width = self._spec.preprocess.resize.output
        count = min(max(JUDGED_PIXELS // (height * width), FEWEST_JUDGING), MOST_JUDGING)
        images = spread(self._images.calibration, count)
        margin = self._margins.for_cell(self._spec, backend, self.method)
        limit = None
        if margin is not None and self._spec.weights == "trained":
            limit = metrics()[self._spec.metric].error_within(margin.drop)
        measured = backend not in TENSORRT
        described = {
            **self._reading,
            "decode": self._spec.decode.model_dump(mode="json"),
            "backend": backend,
            "limit": limit,
            "threads": THREADS if measured else None,
            "fastest": self._spec.speed == "measured",
            "saturates": self._saturates(backend),
            "here": self._spec.cpu == "here",
        }
        return self._steps.make(
            "choose",
            {
                "quantization": quantization.key,
                "canonical": self.canonical.key,
                "images": calibration_hash(images),
                **described,
                **(self._here if measured else {}),
            },
            {
                "quantization": str(quantization.path),
                "canonical": str(self.canonical.path),
                "images": [str(path) for path in images],
                **described,
            },
            (*RUNNING, *LOWERING[backend]),
            len(images),
        )

    def _saturates(self, backend: str) -> bool:
        """Whether 8-bit products saturate on a CPU that the INT8 model is made for."""
        if backend not in PROBED:
            return False
        return self._spec.cpu == "any" or self._steps.saturates(backend)

    def saturated_layers(self, cell: Cell) -> tuple[int, int]:
        """How many layers of the file that ``cell`` runs saturate on calibration images; of how
        many that multiply integers."""
        network, images = self.network(cell), spread(self._images.calibration, SATURATING_IMAGES)
        described = {
            "preprocess": self._spec.preprocess.model_dump(mode="json"),
            "inputs": list(self._int8_inputs),
        }
        made = self._steps.make(
            "saturation",
            {"model": network.key, "images": calibration_hash(images), **described},
            {"model": str(network.path), "images": [str(p) for p in images], **described},
            RUNNING,
            len(images),
        )
        counts = json.loads(made.file("saturation.json").read_text())
        return sum(count > 0 for count in counts.values()), len(counts)

    @property
    def _reading(self) -> dict[str, Any]:
        """How an image becomes the model's inputs."""
        return {
            "preprocess": self._spec.preprocess.model_dump(mode="json"),
            "inputs": list(self._inputs),
        }

    @property
    def _checked(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Images that rewritten models are checked with: key and arguments; see ``_overflow``."""
        return self._read(self._images.checking(CHECKED))

    @property
    def _overflow(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Images that tell what does not fit float16, and how they are read: key and arguments."""
        return self._read(spread(self._images.calibration, HALF_IMAGES))

    def _read(
        self, images: tuple[Path, ...], inputs: tuple[str, ...] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        reading = {**self._reading, "inputs": list(inputs or self._inputs)}
        key = {"images": calibration_hash(images), **reading}
        return key, {"images": [str(path) for path in images], **reading}

    @property
    def _here(self) -> dict[str, Any]:
        """What a choice by speed depends on beside the model."""
        return {"cpu": dict(cpu()), "libraries": versions()}

    def lowering(self, cell: Cell) -> Lowered:
        """How many convolutions the artifact of an INT8 cell has, and how many are quantized."""
        plan = json.loads(self.lowered(cell).file("plan.json").read_text())
        return Lowered(plan["convolutions"], plan["quantized"] if self.pays(cell) else 0)

    def _batched(self, model: Artifact, batch: int) -> Artifact:
        """An ONNX graph, of one image, for ``batch`` of them."""
        key, images = self._checked
        return self._steps.make(
            "batched",
            {"model": model.key, "batch": batch, **key},
            {"model": str(model.path), "batch": batch, **images},
            RUNNING,
            batch,
        )

    def _given(self, backend: str) -> Artifact:
        """The spec's own INT8 file as ``backend`` loads it."""
        spec = self._spec.of_int8_file
        if spec is None:
            raise ValueError(f"the spec of {self._spec.name} names no INT8 file")
        key, images = self._read(self._images.checking(CHECKED), self._int8_inputs)
        return self._steps.make(
            "given_int8",
            {"source": _digests(spec), "backend": backend, **key},
            {
                "source": str(spec.model),
                "params": str(spec.params),
                "backend": backend,
                **images,
            },
            (*RUNNING, "paddlepaddle", "paddle2onnx"),
            CHECKED,
        )

    @cached_property
    def _program(self) -> Artifact:
        """The canonical graph as a Paddle inference model."""
        key, images = self._checked
        return self._steps.make(
            "paddle_program",
            {"canonical": self.canonical.key, **key},
            {"canonical": str(self.canonical.path), **images},
            (*RUNNING, "paddlepaddle", "x2paddle"),
            CHECKED,
        )


def _digests(spec: ModelSpec) -> list[str]:
    """SHA-256 of the model's file, and of Paddle's parameters."""
    files = [spec.model]
    if spec.source_format == "paddle":
        files.append(spec.params or spec.model.with_suffix(".pdiparams"))
    return [file_digest(path) for path in files]
