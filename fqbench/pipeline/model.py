"""One model: its artifacts, what its cells answer, how right and how fast they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fqbench.artifacts import Store, file_digest
from fqbench.cells import Cell
from fqbench.machine import usable_cores
from fqbench.measure.accuracy import accuracy, drop
from fqbench.measure.latency import Effort
from fqbench.measure.prediction import Prediction
from fqbench.measure.stats import Interval
from fqbench.pipeline.build import Build
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Progress, Steps
from fqbench.spec import ModelSpec, PythonDecoder
from fqbench.spec.check import ModelFacts
from fqbench.vision.decode import decoder, source_of
from fqbench.vision.image import read_image

Times = list[list[float]]
"""Seconds, in blocks."""


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
    ) -> None:
        if facts.decode is not None:
            spec = spec.model_copy(update={"decode": facts.decode})
        self.spec, self.images = spec, Images(spec)
        self._facts, self._allow_code = facts, allow_code
        self._steps = Steps(spec.name, store, progress)
        self.build = Build(spec, facts.inputs, self.images, self._steps)

    def check(self, *, calibrates: bool) -> None:
        """Raise UsageError where images are missing or broken, before any work starts."""
        decoder(self.spec.decode, self.spec.preprocess.resize.output, allow_code=self._allow_code)
        if self._facts.classes is not None and self.spec.labelled:
            self.images.check_classes(self._facts.classes)
        read_image(self.images.data.samples[0].path)
        if calibrates:
            for path in self.images.calibration:
                read_image(path)

    def answers(self, cell: Cell) -> Answers:
        """What ``cell`` answers for each image, and what the runtime ran."""
        spec, samples = self.spec, self.images.data.samples
        artifact = self.build.artifact(cell)
        described = {
            **self._fed,
            "backend": cell.backend,
            "precision": cell.precision,
            "decode": spec.decode.model_dump(mode="json"),
        }
        inputs = {
            **described,
            "artifact": artifact.key,
            "images": self.images.digests,
            "code": self._decoder_digest,
        }
        arguments = {
            **described,
            "artifact": str(artifact.path),
            "samples": [[s.image_id, str(s.path)] for s in samples],
            "threads": usable_cores(),
            "allow_code": self._allow_code,
        }
        libraries = ("onnxruntime", "paddlepaddle", "pillow", "scipy")
        made = self._steps.make("predict", inputs, arguments, libraries, len(samples))
        listed = json.loads(made.file("predictions.json").read_text())
        facts = json.loads(made.file("facts.json").read_text())
        predictions = tuple(Prediction.from_json(answer) for answer in listed)
        return Answers(made.key, predictions, facts["int8_convolutions"])

    def accuracy(self, answers: Answers) -> float:
        """mAP or top-1 of the data set, in points of 0 to 100."""
        score: float = self._steps.score(
            "accuracy",
            {"answers": answers.key, "truth": self.images.truth},
            lambda: accuracy(self.images.data, answers.predictions),
        )
        return score

    def drop(self, fp32: Answers, int8: Answers) -> Interval:
        """Points lost from ``fp32`` to ``int8`` on the same images, with a paired interval."""

        def compute() -> list[float]:
            lost = drop(self.images.data, fp32.predictions, int8.predictions)
            return [lost.value, lost.low, lost.high]

        inputs = {"fp32": fp32.key, "int8": int8.key, "truth": self.images.truth}
        return Interval(*self._steps.score("drop", inputs, compute))

    def agreement(self, fp32: Cell, int8: Cell) -> Agreement:
        """How alike two cells of one backend are, for a data set that tells no truth."""
        artifacts = [self.build.artifact(cell) for cell in (fp32, int8)]
        described = {**self._fed, "backend": fp32.backend}
        inputs = {
            **described,
            "artifacts": [artifact.key for artifact in artifacts],
            "images": self.images.digests,
        }
        arguments = {
            **described,
            "cells": [
                {"artifact": str(artifact.path), "precision": cell.precision}
                for artifact, cell in zip(artifacts, (fp32, int8), strict=True)
            ],
            "images": [str(sample.path) for sample in self.images.data.samples],
            "threads": usable_cores(),
        }
        libraries = ("onnxruntime", "paddlepaddle", "pillow", "scipy")
        made = self._steps.make("agree", inputs, arguments, libraries, len(arguments["images"]))
        facts = json.loads(made.file("agreement.json").read_text())
        return Agreement(facts["agreement"], *facts["int8_convolutions"])

    def times(self, cells: Sequence[Cell], threads: int, effort: Effort) -> dict[Cell, Times]:
        """Times of ``cells`` of one backend, interleaved in one child process.

        Never stored: a latency is a fact about the machine now.
        """
        described = {
            cell.id: {
                "artifact": str(self.build.artifact(cell).path),
                "precision": cell.precision,
            }
            for cell in cells
        }
        found = self._timing(
            "fqbench.pipeline.steps:time_cells",
            cells[0].backend,
            {"cells": described, "threads": threads, "effort": asdict(effort)},
            threads,
        )
        return {cell: found[cell.id] for cell in cells}

    def overhead(self, cell: Cell) -> dict[str, Times]:
        """Times of ``cell`` as it is measured (``fqbench``) and in a ``bare`` loop, in turns."""
        described = {
            "artifact": str(self.build.artifact(cell).path),
            "precision": cell.precision,
        }
        function = "fqbench.measure.overhead:time_overhead"
        return self._timing(function, cell.backend, described, threads=1)

    def _timing(
        self, function: str, backend: str, arguments: Mapping[str, Any], threads: int
    ) -> dict[str, Times]:
        image = str(self.images.data.samples[0].path)
        result: dict[str, Times] = self._steps.call(
            function,
            {**self._fed, **arguments, "backend": backend, "image": image},
            text=f"time {backend}",
            threads=threads,
        )
        return result

    @property
    def _decoder_digest(self) -> str | None:
        """SHA-256 of the file of a decoder of the user's own, whose answers change with it."""
        decode = self.spec.decode
        source = source_of(decode) if isinstance(decode, PythonDecoder) else None
        return file_digest(source) if source is not None and source.is_file() else None

    @property
    def _fed(self) -> dict[str, Any]:
        """How an image is fed to the model."""
        return {
            "preprocess": self.spec.preprocess.model_dump(mode="json"),
            "inputs": list(self._facts.inputs),
        }
