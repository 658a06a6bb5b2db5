"""The images of one model: those that are evaluated, and those that calibrate."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.artifacts import file_digest
from fqbench.data import EvaluationSet, open_dataset
from fqbench.data.calibration import calibration_paths, overlap
from fqbench.errors import UsageError
from fqbench.spec import ModelSpec


class Images:
    """Read when first asked for. Raises UsageError where files are missing or do not fit."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec

    @cached_property
    def data(self) -> EvaluationSet:
        """The images to evaluate on, with what is in them."""
        return open_dataset(self._spec.dataset)

    @cached_property
    def calibration(self) -> tuple[Path, ...]:
        """What quantization sees: no image that is evaluated, under whatever name."""
        images = calibration_paths(self._spec.calibration)
        shared = overlap(images, self.data.samples)
        if shared:
            raise UsageError(
                f"{self._spec.name}: {len(shared)} calibration images ({shared[0].name} first) are"
                " evaluated too: choose others by the keys calibration.start and dataset.start"
            )
        return images

    @cached_property
    def digests(self) -> list[list[int | str]]:
        """Id and SHA-256 of each image that is evaluated."""
        return [[s.image_id, file_digest(s.path)] for s in self.data.samples]

    @cached_property
    def truth(self) -> Any:
        """Everything about the data set that scores depend on, as JSON."""
        if self.data.annotations is not None:
            return [file_digest(self.data.annotations), [s.image_id for s in self.data.samples]]
        return [[s.image_id, s.label] for s in self.data.samples]

    def check_classes(self, known: int) -> None:
        """Raise UsageError where the data set's classes are not the ``known`` ones of the model."""
        dataset, name = self._spec.dataset, self._spec.model.name
        if dataset.kind == "coco":
            listed = len(self.data.category_ids)
            if listed != known:
                raise UsageError(
                    f"{dataset.truth}: it has {listed} categories, the output of {name} has"
                    f" {known} classes"
                )
        else:
            highest = max(s.label for s in self.data.samples if s.label is not None)
            if highest >= known:
                raise UsageError(
                    f"{dataset.truth}: it has class {highest}, the output of {name} has {known}"
                    " classes, from 0"
                )
