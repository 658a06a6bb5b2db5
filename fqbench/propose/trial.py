"""Candidates tried on images: how they score, or how decided their answers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.data import EvaluationSet
from fqbench.errors import FqbenchError, UsageError
from fqbench.propose.evidence import Candidate, Outcome
from fqbench.spec.check import ModelFacts, compare
from fqbench.spec.contents import Contents
from fqbench.spec.datasets import Dataset, Folder
from fqbench.spec.inputs import Fill, Layout
from fqbench.spec.interface import interface
from fqbench.spec.model import ModelSpec
from fqbench.spec.preprocessing import Preprocess
from fqbench.spec.quantization import Calibration
from fqbench.tasks.decoding import decoder
from fqbench.tasks.recognition import Recognition
from fqbench.tasks.record import DecoderSettings, Metric, Outputs
from fqbench.tasks.registry import tasks
from fqbench.vision.geometry import Box, Geometry
from fqbench.vision.image import Pixels, read_image
from fqbench.vision.inputs import model_inputs
from fqbench.vision.preprocess import prepare

KEPT_BYTES = 2**28
"""Of images that are kept in memory between candidates."""

SHUFFLED = 11
"""Seed of the order of images."""

Run = Callable[[Sequence[NDArray[Any]]], Outputs]


@dataclass(frozen=True)
class Subject:
    """The model: what its file holds, and how it is fed whatever the candidate."""

    model: Path
    contents: Contents
    image: str
    layout: Layout
    fills: dict[str, Fill]
    run: Run

    def spec(self, candidate: Candidate, dataset: Dataset | None = None) -> ModelSpec:
        """The candidate as a spec. Raises pydantic's ValidationError where it is none."""
        found = dataset or Folder(kind="folder", images=self.model.parent)
        if not isinstance(candidate.preprocess, Preprocess):
            raise TypeError("a candidate needs a Preprocess")
        return ModelSpec(
            name="candidate",
            task=candidate.task,
            model=self.model,
            input=self.image,
            layout=self.layout,
            other_inputs=self.fills,
            preprocess=candidate.preprocess,
            decode=candidate.decode,
            dataset=found,
            calibration=Calibration(images=found.images),
        )

    def facts(self, spec: ModelSpec, outputs: Outputs) -> ModelFacts:
        """What the file shows of the spec. Raises UsageError where its outputs do not fit."""
        shapes = {str(number): output.shape for number, output in enumerate(outputs)}
        found = self.contents
        return compare(spec, found.inputs, shapes, None, found.metadata, types=found.types)

    def outputs(self, spec: ModelSpec, image: Pixels, box: Box | None) -> tuple[Outputs, Geometry]:
        """What the model makes of one image."""
        prepared = prepare(image, spec.preprocess, box)
        fed = interface(spec, self.contents.inputs, self.contents.types)
        tensors = model_inputs(prepared, fed.inputs, fed.form, fed.others)
        batch = fed.form.batch
        if batch > 1:
            tensors = [np.repeat(t, batch, axis=0) if len(t) == 1 else t for t in tensors]
        return [_first(output, batch) for output in self.run(tensors)], prepared.geometry


@dataclass
class Trials:
    """Tries candidates on the same images, each candidate once."""

    subject: Subject
    data: EvaluationSet
    dataset: Dataset | None
    read: Callable[[Path], Pixels] = read_image
    report: Callable[[int, int], None] = lambda done, total: None
    _pixels: dict[Path, Pixels] = field(default_factory=dict)
    _done: dict[Candidate, Outcome] = field(default_factory=dict)

    def __call__(self, candidate: Candidate) -> Outcome:
        """What the candidate comes to."""
        if candidate not in self._done:
            self.report(len(self._done), 0)
            try:
                self._done[candidate] = self._tried(candidate)
            except FqbenchError as error:
                self._done[candidate] = Outcome(failure=str(error))
            except Exception as error:  # A wrong decoder may break a metric in any way.
                self._done[candidate] = Outcome(failure=f"{type(error).__name__}: {error}")
        return self._done[candidate]

    def _tried(self, candidate: Candidate) -> Outcome:
        spec = self.subject.spec(candidate, self.dataset)
        task = tasks()[candidate.task]
        runs = (
            self.subject.outputs(spec, self._image(sample.path), sample.box)
            for sample in self.data.samples
        )
        first, place = next(runs)
        settings = self._settings(spec, first)
        decode = decoder(settings, spec.preprocess.resize.output)
        answers, kept, others, before = [decode(first, place)], [first], [], first
        for outputs, geometry in runs:
            answers.append(decode(outputs, geometry))
            if self.dataset is None:
                kept.append(outputs)
            else:
                others.append(decode(before, geometry))
            before = outputs
        if self.dataset is None:
            return _judged(task.recognition, kept, answers)
        return _scored(task.metric, self.data, answers, [decode(before, place), *others])

    def _settings(self, spec: ModelSpec, outputs: Outputs) -> DecoderSettings:
        """The decoder's, with what the file notes. Raises UsageError where they do not fit."""
        facts, listed = self.subject.facts(spec, outputs), self.data.classes
        if facts.classes is not None and listed is not None and facts.classes != listed:
            raise UsageError(f"it has {facts.classes} classes, and the labels have {listed}")
        return facts.decode or spec.decode

    def _image(self, path: Path) -> Pixels:
        if path in self._pixels:
            return self._pixels[path]
        pixels = self.read(path)
        if sum(each.nbytes for each in self._pixels.values()) + pixels.nbytes < KEPT_BYTES:
            self._pixels[path] = pixels
        return pixels


def _first(output: NDArray[Any], batch: int) -> NDArray[Any]:
    """Of a batch of the same image, one."""
    return output[:1] if batch > 1 and output.ndim > 1 and len(output) == batch else output


def _scored(
    metric: Metric, data: EvaluationSet, answers: Sequence[Any], others: Sequence[Any]
) -> Outcome:
    """``others``: what the model makes of another image, placed in each one."""
    each = np.eye(len(answers))
    return Outcome(
        points=metric.points(data, answers),
        each=metric.weighted(data, answers, [each]),
        others=metric.weighted(data, others, [each]),
        images=len(answers),
    )


def _judged(known: Recognition | None, runs: Sequence[Outputs], answers: Sequence[Any]) -> Outcome:
    confidence = 0.0 if known is None else known.confidence(runs, answers)
    return Outcome(confidence=confidence, images=len(answers))


def chosen(data: EvaluationSet, count: int) -> EvaluationSet:
    """At most ``count`` of the images, evenly spaced, in an order that is always the same.

    Not in their own: each is compared with the answer to the one before, and labels are often
    listed class by class or in a cycle.
    """
    step = max(1, -(-len(data.samples) // count))
    found = data.samples[::step][:count]
    order = np.random.default_rng(SHUFFLED).permutation(len(found))
    return replace(data, samples=tuple(found[i] for i in order))
