"""The steps of one model, each made once and then found in the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench import isolate
from fqbench.artifacts import Artifact, Store, file_digest
from fqbench.cells import Cell
from fqbench.data import EvaluationSet, open_dataset
from fqbench.data.calibration import calibration_hash, calibration_paths, overlap
from fqbench.errors import UsageError
from fqbench.machine import memory_mb, usable_cores, versions
from fqbench.measure.accuracy import accuracy, drop
from fqbench.measure.latency import Effort
from fqbench.measure.prediction import Prediction
from fqbench.measure.stats import Interval
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.vision.decode import decoder
from fqbench.vision.image import read_image

STEPS_VERSION = 4
"""Part of every key; raised when a step's result changes for the same inputs."""

METHOD = "offline"
ALGORITHM = "hist"
MEMORY_SHARE = 0.8
"""Part of the machine's memory that one child process may use."""

TIMEOUT_S = 7200.0

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Limits:
    """What one child process may use before it is stopped and its cell fails."""

    memory_mb: int = field(default_factory=lambda: int(MEMORY_SHARE * memory_mb()))
    timeout_s: float = TIMEOUT_S


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


@dataclass(frozen=True)
class Answers:
    """What a cell answered for the images; ``key`` is that of the artifact that holds them."""

    key: str
    predictions: tuple[Prediction, ...]
    int8_convolutions: int


class ModelPipeline:
    """From one spec to artifacts and predictions.

    Every method returns what the store holds or makes it, in a child process. Raises StepError
    where a step fails and UsageError where the data set does not allow it.
    """

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        store: Store,
        progress: Progress,
        *,
        limits: Limits | None = None,
        allow_code: bool = False,
    ) -> None:
        self.spec, self.facts = spec, facts
        self.weights = "trained"
        self._store, self._progress, self._limits = store, progress, limits or Limits()
        self._allow_code = allow_code

    @cached_property
    def data(self) -> EvaluationSet:
        """The images to evaluate on."""
        return open_dataset(self.spec.dataset)

    def check(self, *, calibrates: bool) -> None:
        """Raise UsageError where images are missing or broken, before any work starts."""
        decoder(self.spec.decode, self.spec.preprocess.resize.output, allow_code=self._allow_code)
        self._check_classes()
        read_image(self.data.samples[0].path)
        if calibrates:
            for path in self.calibration_images():
                read_image(path)

    def _check_classes(self) -> None:
        """Raise UsageError where the data set has classes that the model does not know."""
        known, dataset = self.facts.classes, self.spec.dataset
        if known is None:
            return
        source = dataset.annotations if dataset.kind == "coco" else dataset.list
        if dataset.kind == "coco":
            listed = len(self.data.category_ids)
        else:
            listed = max(s.label for s in self.data.samples if s.label is not None) + 1
        if listed > known or (dataset.kind == "coco" and listed != known):
            raise UsageError(
                f"{source}: it has {listed} classes, the output of {self.spec.model.name} has"
                f" {known}"
            )

    def artifact(self, cell: Cell) -> Artifact:
        """What ``cell``'s backend loads."""
        if cell.precision == "fp32":
            return self.canonical if cell.backend == "onnxruntime" else self._paddle_fp32
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
        return self._step(f"lower_{cell.backend}", inputs, arguments, ("onnx", "paddlepaddle"))

    @cached_property
    def canonical(self) -> Artifact:
        """The canonical ONNX graph of the source."""
        spec = self.spec
        inputs = {"source": self._source_digests, "input_shape": list(spec.input_shape)}
        arguments = {
            "source": str(spec.model),
            "params": str(spec.params),
            "input_shape": list(spec.input_shape),
        }
        return self._step("canonical", inputs, arguments, ("onnx", "onnxruntime", "paddle2onnx"))

    @cached_property
    def quantization(self) -> Quantized:
        """Scales, from the calibration images. Raises UsageError where those are evaluated."""
        spec = self.spec
        images = self.calibration_images()
        preprocess = spec.preprocess.model_dump(mode="json")
        inputs = {
            "program": self._program.key,
            "canonical": self.canonical.key,
            "images": calibration_hash(images),
            "preprocess": preprocess,
            "algorithm": ALGORITHM,
            "inputs": list(self.facts.inputs),
        }
        arguments = {
            "program": str(self._program.path),
            "canonical": str(self.canonical.path),
            "images": [str(path) for path in images],
            "preprocess": preprocess,
            "algorithm": ALGORITHM,
            "inputs": list(self.facts.inputs),
        }
        made = self._step("quantize_offline", inputs, arguments, ("paddlepaddle", "paddleslim"))
        seconds = json.loads(made.file("timing.json").read_text())["seconds"]
        return Quantized(made.key, made.path, str(inputs["images"]), float(seconds))

    def calibration_images(self) -> tuple[Path, ...]:
        """What quantization sees. Raises UsageError where an image of it is evaluated too."""
        images = calibration_paths(self.spec.calibration)
        shared = overlap(images, self.data.samples)
        if shared:
            raise UsageError(
                f"{self.spec.name}: {len(shared)} calibration images ({shared[0].name} first) are"
                " evaluated too: choose others by the keys calibration.start and dataset.start"
            )
        return images

    def lowering(self, cell: Cell) -> Lowered:
        """How many convolutions the artifact of an INT8 cell has, and how many are quantized."""
        plan = json.loads(self.artifact(cell).file("plan.json").read_text())
        return Lowered(plan["convolutions"], plan["quantized"])

    def answers(self, cell: Cell) -> Answers:
        """What ``cell`` answers for each image, and what the runtime ran."""
        spec, samples = self.spec, self.data.samples
        artifact = self.artifact(cell)
        described = {
            "backend": cell.backend,
            "precision": cell.precision,
            "preprocess": spec.preprocess.model_dump(mode="json"),
            "decode": spec.decode.model_dump(mode="json"),
            "inputs": list(self.facts.inputs),
        }
        inputs = {
            **described,
            "artifact": artifact.key,
            "images": self._image_digests,
        }
        arguments = {
            **described,
            "artifact": str(artifact.path),
            "samples": [[s.image_id, str(s.path)] for s in samples],
            "threads": usable_cores(),
            "allow_code": self._allow_code,
        }
        made = self._step("predict", inputs, arguments, ("onnxruntime", "paddlepaddle"))
        listed = json.loads(made.file("predictions.json").read_text())
        facts = json.loads(made.file("facts.json").read_text())
        predictions = tuple(Prediction.from_json(answer) for answer in listed)
        return Answers(made.key, predictions, facts["int8_convolutions"])

    def accuracy(self, answers: Answers) -> float:
        """mAP or top-1 of the data set, in points of 0 to 100."""
        score: float = self._score(
            "accuracy", {"answers": answers.key}, lambda: accuracy(self.data, answers.predictions)
        )
        return score

    def drop(self, fp32: Answers, int8: Answers) -> Interval:
        """Points lost from ``fp32`` to ``int8`` on the same images, with a paired interval."""

        def compute() -> list[float]:
            lost = drop(self.data, fp32.predictions, int8.predictions)
            return [lost.value, lost.low, lost.high]

        return Interval(*self._score("drop", {"fp32": fp32.key, "int8": int8.key}, compute))

    def _score(self, name: str, inputs: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """A figure that follows from stored answers, itself stored: mAP takes a while."""

        def write(folder: Path) -> None:
            (folder / "score.json").write_text(json.dumps(compute()))

        self._progress(name, 0, 0)
        made = self._store.get_or_make(
            name,
            {**inputs, "truth": self._truth, "version": STEPS_VERSION},
            write,
        )
        return json.loads(made.file("score.json").read_text())

    def times(
        self, cells: Sequence[Cell], threads: int, effort: Effort
    ) -> dict[Cell, list[list[float]]]:
        """Times in seconds, in blocks, of ``cells`` of one backend, interleaved. Never stored:
        a latency is a fact about the machine now.
        """
        backend = cells[0].backend
        result = self._timing(
            "fqbench.pipeline.steps:time_cells",
            {
                "backend": backend,
                "cells": {
                    cell.id: {
                        "artifact": str(self.artifact(cell).path),
                        "precision": cell.precision,
                    }
                    for cell in cells
                },
                "threads": threads,
                "effort": asdict(effort),
            },
            threads,
        )
        return {cell: result[cell.id] for cell in cells}

    def overhead(self, cell: Cell) -> dict[str, list[list[float]]]:
        """Times of ``cell`` as it is measured (``fqbench``) and in a ``bare`` loop, in turns."""
        described = {
            "backend": cell.backend,
            "artifact": str(self.artifact(cell).path),
            "precision": cell.precision,
        }
        return self._timing("fqbench.measure.overhead:time_overhead", described, threads=1)

    def _timing(
        self, function: str, arguments: Mapping[str, Any], threads: int
    ) -> dict[str, list[list[float]]]:
        result: Any = isolate.call(
            function,
            {
                **arguments,
                "image": str(self.data.samples[0].path),
                "preprocess": self.spec.preprocess.model_dump(mode="json"),
                "inputs": list(self.facts.inputs),
            },
            env=_environment(threads),
            timeout_s=self._limits.timeout_s,
            memory_mb=self._limits.memory_mb,
            on_progress=self._reporter(f"time {arguments['backend']}"),
            name=f"timing {self.spec.name} on {arguments['backend']}",
        )
        return dict(result)

    @cached_property
    def _paddle_fp32(self) -> Artifact:
        """The model as Paddle runs it in FP32: its own files where it came as Paddle's."""
        if self.spec.source_format == "onnx":
            return self._program

        def copy(folder: Path) -> None:
            for source, suffix in self._paddle_files():
                (folder / f"model{suffix}").write_bytes(source.read_bytes())

        return self._store.get_or_make("paddle_source", {"source": self._source_digests}, copy)

    @cached_property
    def _program(self) -> Artifact:
        """The canonical graph as a Paddle inference model."""
        canonical = self.canonical
        return self._step(
            "paddle_program",
            {"canonical": canonical.key},
            {"canonical": str(canonical.path)},
            ("paddlepaddle", "x2paddle"),
        )

    def _paddle_files(self) -> tuple[tuple[Path, str], ...]:
        params = self.spec.params or self.spec.model.with_suffix(".pdiparams")
        return ((self.spec.model, ".pdmodel"), (params, ".pdiparams"))

    @cached_property
    def _truth(self) -> Any:
        """Everything about the data set that scores depend on."""
        if self.data.annotations is not None:
            return [file_digest(self.data.annotations), [s.image_id for s in self.data.samples]]
        return [[s.image_id, s.label] for s in self.data.samples]

    @cached_property
    def _image_digests(self) -> list[list[int | str]]:
        return [[s.image_id, file_digest(s.path)] for s in self.data.samples]

    @cached_property
    def _source_digests(self) -> list[str]:
        if self.spec.source_format == "onnx":
            return [file_digest(self.spec.model)]
        return [file_digest(path) for path, _ in self._paddle_files()]

    def _step(
        self,
        name: str,
        inputs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        libraries: tuple[str, ...],
    ) -> Artifact:
        installed = versions()
        key = {
            **inputs,
            "version": STEPS_VERSION,
            "libraries": {lib: installed[lib] for lib in libraries if lib in installed},
        }

        def make(folder: Path) -> None:
            isolate.call(
                f"fqbench.pipeline.steps:{name}",
                {**arguments, "folder": str(folder)},
                env=_environment(usable_cores()),
                timeout_s=self._limits.timeout_s,
                memory_mb=self._limits.memory_mb,
                on_progress=self._reporter(name),
                name=f"{name} of {self.spec.name}",
            )

        self._progress(name, 0, 0)
        return self._store.get_or_make(name, key, make)

    def _reporter(self, text: str) -> Callable[[int, int], None]:
        return lambda done, total: self._progress(text, done, total)


def _environment(threads: int) -> dict[str, str]:
    """Threads of the libraries that read them from the environment only."""
    return {"OMP_NUM_THREADS": str(threads), "GLOG_minloglevel": "2"}
