"""One model: its artifacts, what its cells answer, how right and how fast they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.artifacts import Artifact, Store, file_digest
from fqbench.cells import Cell
from fqbench.data.digests import Digests
from fqbench.machine import usable_cores
from fqbench.margins import Margins, default_margins_path, load_margins
from fqbench.measure.accuracy import lost, resampled
from fqbench.measure.launches import (
    Patience,
    Process,
    Stopped,
    cell_process,
    kernels,
    narrow,
    record,
)
from fqbench.measure.prediction import Prediction, read_predictions
from fqbench.measure.reference import KERNELS
from fqbench.measure.split import OnGpu
from fqbench.measure.stats import Interval, Launches
from fqbench.pipeline.build import Build
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Progress, Steps
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.spec.model import Method
from fqbench.tasks.decoding import decoder, source_of
from fqbench.tasks.registry import decoder_of, tasks
from fqbench.vision.image import read_image

Times = list[list[float]]
"""Seconds, in blocks."""


@dataclass(frozen=True)
class Timed:
    """Times of cells, and of the reference kernels by name; see ``Recorded``."""

    cells: Mapping[Cell, Launches]
    reference: Mapping[str, Launches]
    failures: Mapping[Cell, str]
    stopped: Stopped
    pinned: bool


@dataclass(frozen=True)
class Answers:
    """What a cell answered for the images; ``key`` is that of the artifact that holds them."""

    key: str
    predictions: tuple[Prediction, ...]
    int8_convolutions: int


@dataclass(frozen=True)
class Agreement:
    """Mean cosine of INT8's outputs and FP32's, and how many convolutions each ran in INT8."""

    value: float
    fp32_convolutions: int
    int8_convolutions: int


class ModelPipeline:
    """Everything about one model, found in the store or made in child processes.

    ``inputs``: names of the model's inputs, in its order.

    Methods raise StepError where a step fails, and UsageError where images do not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        store: Store,
        progress: Progress,
        *,
        allow_code: bool = False,
        margins: Margins | None = None,
        method: Method = "offline",
    ) -> None:
        if facts.decode is not None:
            spec = spec.model_copy(update={"decode": facts.decode})
        self.spec, self.images = spec, Images(spec, Digests(store.root))
        self.inputs = facts.inputs
        self._facts, self._allow_code = facts, allow_code
        self._steps = Steps(spec.name, store, progress)
        known = load_margins(default_margins_path()) if margins is None else margins
        self.build = Build(
            spec, facts.inputs, self.images, self._steps, known, method, facts.int8_inputs
        )

    def check(self, *, calibrates: bool) -> None:
        """Raise UsageError where images are missing or broken, before any work starts."""
        decode, size = self.spec.decode, self.spec.preprocess.resize.output
        if decoder_of(decode).function is not None:
            decoder(decode, size, allow_code=self._allow_code)
        if self._facts.classes is not None and self.spec.labelled:
            self.images.check_classes(self._facts.classes)
        read_image(self.images.data.samples[0].path)
        if calibrates:
            for path in {*self.images.calibration, *self._teaching}:
                read_image(path)

    @property
    def _teaching(self) -> tuple[Path, ...]:
        return self.images.distillation if self.build.method == "distillation" else ()

    def answers(self, cell: Cell) -> Answers:
        """What ``cell`` answers for each image, and what the runtime ran."""
        return self._answered(cell, self.build.artifact(cell))

    def emulated(self, cell: Cell) -> Answers:
        """What the network of a TensorRT ``cell`` answers, executed by ONNX Runtime on the CPU.

        It tells what scales and codes cost in accuracy, and nothing of TensorRT's kernels.
        """
        executor = Cell(cell.model, "onnxruntime", "cpu", "fp32")
        return self._answered(executor, self.build.network(cell))

    def _answered(self, cell: Cell, artifact: Artifact) -> Answers:
        """What ``artifact`` answers, run as that of ``cell``."""
        inputs = {
            **self._described(cell),
            "artifact": artifact.key,
            "images": self.images.digest,
            "code": self._decoder_digest,
        }
        arguments = self._evaluation(cell, artifact)
        libraries = ("onnxruntime", "paddlepaddle", "pillow", "scipy")
        made = self._steps.make("predict", inputs, arguments, libraries, len(arguments["samples"]))
        facts = json.loads(made.file("facts.json").read_text())
        predictions = read_predictions(made.path)
        return Answers(made.key, predictions, facts["int8_convolutions"])

    def saturates(self, backend: str) -> bool:
        """Whether 8-bit products saturate in the kernels that ``backend`` runs on this CPU."""
        return self._steps.saturates(backend)

    def accuracy(self, answers: Answers) -> float:
        """The metric of the model's task on the data set, in points of 0 to 100."""
        return float(self.resampled(answers)[0])

    def drop(self, fp32: Answers, int8: Answers) -> Interval:
        """Points lost from ``fp32`` to ``int8`` on the same images, with a paired interval."""
        return lost(self.resampled(fp32), self.resampled(int8))

    def agreement(self, fp32: Cell, int8: Cell) -> Agreement:
        """How alike two cells of one backend are, for a data set that tells no truth."""
        artifacts = [self.build.artifact(cell) for cell in (fp32, int8)]
        inputs = {
            "cells": [self._fed(cell) for cell in (fp32, int8)],
            "artifacts": [artifact.key for artifact in artifacts],
            "images": self.images.digest,
        }
        arguments: dict[str, Any] = {
            "cells": [self._loaded(cell) for cell in (fp32, int8)],
            "images": [str(sample.path) for sample in self.images.data.samples],
            "threads": usable_cores(),
        }
        libraries = ("onnxruntime", "paddlepaddle", "pillow", "scipy")
        made = self._steps.make("agree", inputs, arguments, libraries, len(arguments["images"]))
        facts = json.loads(made.file("agreement.json").read_text())
        return Agreement(facts["agreement"], *facts["int8_convolutions"])

    def times(
        self, cells: Sequence[Cell], threads: int, patience: Patience, batch: int = 1
    ) -> Timed:
        """Times of ``cells`` of one backend and of the reference kernels, in turns.

        An inference is of ``batch`` images.

        Never stored: a latency is a fact about the machine now. Cells that load the same artifact
        have the same times.
        """
        keys = {cell: self.build.artifact(cell, batch).key for cell in cells}
        first = {key: cell for cell, key in reversed(keys.items())}
        self._steps.progress(f"time {cells[0].backend}", 0, 0)
        recorded = record(
            [
                *(self.process(cell, threads, key, batch) for key, cell in first.items()),
                kernels(threads),
            ],
            patience,
            lambda times: narrow([times[key] for key in first if key in times]),
            on_launch=lambda done, most: self._steps.progress(
                f"time {cells[0].backend}: launch {done}", done, most
            ),
        )
        return Timed(
            {cell: recorded.times[key] for cell, key in keys.items() if key in recorded.times},
            {kernel: recorded.times[kernel] for kernel in KERNELS if kernel in recorded.times},
            {
                cell: recorded.failures[key]
                for cell, key in keys.items()
                if key in recorded.failures
            },
            recorded.stopped,
            recorded.pinned,
        )

    def process(self, cell: Cell, threads: int, side: str, batch: int = 1) -> Process:
        """What times ``cell``, which it calls ``side``, with ``batch`` images at once."""
        image = self.images.data.samples[0].path
        return cell_process(cell.id, side, self._loaded(cell, batch), image, threads)

    def on_gpu(self, cell: Cell, threads: int, batch: int) -> OnGpu | None:
        """Where on the GPU an inference of ``cell`` spends its time; None where nothing tells."""
        function = "fqbench.measure.split:time_split"
        arguments = {"cell": self._loaded(cell, batch)}
        found = self._timing(function, cell.backend, arguments, threads)
        return None if found is None else OnGpu.of(found)

    def multiply_adds(self) -> int:
        """Multiply-adds of one inference of the canonical graph."""
        canonical = self.build.canonical
        found: int = self._steps.score(
            "multiply_adds",
            {"canonical": canonical.key},
            lambda: self._steps.call(
                "fqbench.convert.multiply_adds:count_file",
                {"model": str(canonical.file("model.onnx"))},
                text="multiply_adds",
                threads=1,
            ),
        )
        return found

    def overhead(self, cell: Cell) -> dict[str, Times]:
        """Times of ``cell`` as it is measured (``fqbench``) and in a ``bare`` loop, in turns."""
        function = "fqbench.measure.overhead:time_overhead"
        found: dict[str, Times] = self._timing(
            function, cell.backend, self._loaded(cell), threads=1
        )
        return found

    def pace(self, cell: Cell) -> dict[str, list[float]]:
        """Seconds an image that evaluating ``cell`` takes, and its parts, once a round."""
        found: dict[str, list[float]] = self._steps.call(
            "fqbench.measure.pace:time_evaluation",
            self._evaluation(cell, self.build.artifact(cell)),
            text=f"time evaluation of {cell.id}",
            threads=usable_cores(),
        )
        return found

    def _timing(
        self, function: str, backend: str, arguments: Mapping[str, Any], threads: int
    ) -> Any:
        image = str(self.images.data.samples[0].path)
        return self._steps.call(
            function,
            {**arguments, "image": image, "threads": threads},
            text=f"time {backend}",
            threads=threads,
        )

    def resampled(self, answers: Answers) -> NDArray[np.float64]:
        """Accuracy on all images, then on resamples of them: found out once for each cell."""
        points = self._steps.score(
            "accuracy",
            {"answers": answers.key, "truth": self.images.truth},
            lambda: resampled(
                tasks()[self.spec.task], self.images.data, answers.predictions
            ).tolist(),
        )
        return np.array(points)

    def _evaluation(self, cell: Cell, artifact: Artifact) -> dict[str, Any]:
        """What an evaluation of ``cell`` is called with in a child process."""
        return {
            **self._described(cell),
            "artifact": str(artifact.path),
            "samples": [[s.image_id, str(s.path)] for s in self.images.data.samples],
            "cores": usable_cores(),
            "allow_code": self._allow_code,
        }

    def _described(self, cell: Cell) -> dict[str, Any]:
        """What the answers of ``cell`` depend on, beside its artifact and the images."""
        return {**self._fed(cell), "decode": self.spec.decode.model_dump(mode="json")}

    @property
    def _decoder_digest(self) -> str | None:
        """SHA-256 of the file of a decoder of the user's own, whose answers change with it."""
        source = source_of(self.spec.decode)
        return file_digest(source) if source is not None and source.is_file() else None

    def _loaded(self, cell: Cell, batch: int = 1) -> dict[str, Any]:
        """What a child needs to run ``cell`` on ``batch`` images at once."""
        artifact = self.build.artifact(cell, batch)
        return {**self._fed(cell), "artifact": str(artifact.path), "batch": batch}

    def _fed(self, cell: Cell) -> dict[str, Any]:
        """How an image is fed to ``cell``, and what runs it."""
        given = cell.precision in ("int8_file", "int8_file_exact")
        precision = "int8" if cell.precision == "int8_all" else cell.precision
        if cell.precision == "int8" and not self.build.pays(cell):
            precision = "fp32"
        return {
            "preprocess": self.spec.preprocess.model_dump(mode="json"),
            "inputs": list((given and self._facts.int8_inputs) or self._facts.inputs),
            "backend": cell.backend,
            "device": cell.device,
            "precision": precision,
        }
