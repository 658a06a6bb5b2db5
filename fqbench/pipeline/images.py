"""The images of one model: those that are evaluated, and those that calibrate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.data import EvaluationSet, open_dataset
from fqbench.data.calibration import calibration_name, calibration_paths, evenly_spaced, overlap
from fqbench.data.coco import largest_boxes
from fqbench.data.digests import Digests
from fqbench.errors import UsageError
from fqbench.spec import Calibration, ModelSpec
from fqbench.spec.preprocessing import BoxCrop
from fqbench.vision.geometry import Box


class Images:
    """Read when first asked for. Raises UsageError where files are missing or do not fit."""

    def __init__(self, spec: ModelSpec, digests: Digests) -> None:
        self._spec, self._digests = spec, digests
        self._unseen: dict[str, tuple[Path, ...]] = {}

    @cached_property
    def data(self) -> EvaluationSet:
        """The images to evaluate on, with what is in them."""
        return open_dataset(self._spec.dataset)

    @cached_property
    def calibration(self) -> tuple[Path, ...]:
        """What quantization sees: no image that is evaluated, under whatever name."""
        return self.unseen(self._spec.calibration, "calibration")

    def checking(self, count: int) -> tuple[Path, ...]:
        """At most ``count`` images to compare two forms of the model on: no answer is judged.

        Those that calibrate, or where they do not fit, which matters to INT8 only, evaluated ones.
        """
        try:
            images = calibration_paths(self._spec.calibration)
        except UsageError:
            images = tuple(sample.path for sample in self.data.samples)
        return evenly_spaced(images, count)

    def unseen(self, chosen: Calibration, key: str) -> tuple[Path, ...]:
        """What the spec's ``key`` chooses: no image that is evaluated, under whatever name."""
        if key not in self._unseen:
            self._unseen[key] = self._checked(chosen, key)
        return self._unseen[key]

    def _checked(self, chosen: Calibration, key: str) -> tuple[Path, ...]:
        images = calibration_paths(chosen, key)
        shared = overlap(images, self.data.samples, self._digests)
        if shared:
            kind = key.partition(".")[0]
            raise UsageError(
                f"{self._spec.name}: {len(shared)} {kind} images ({shared[0].name} first) are"
                f" evaluated too: choose others by the keys {key}.start and dataset.start"
            )
        return images

    def boxes(self, images: Sequence[Path]) -> tuple[Box | None, ...]:
        """The part of each of ``images`` that a model of one object looks at; none for others."""
        if not isinstance(self._spec.preprocess.resize, BoxCrop):
            return ()
        return tuple(self._boxes.get(path) for path in images)

    @cached_property
    def _boxes(self) -> dict[Path, Box]:
        """By image: of those that calibrate and teach, then the first of those evaluated."""
        found = {s.path: s.box for s in reversed(self.data.samples) if s.box is not None}
        for chosen in (self._spec.distillation.images, self._spec.calibration):
            if chosen is not None and chosen.boxes is not None:
                found.update(largest_boxes(chosen.images, chosen.boxes))
        return found

    @property
    def calibration_name(self) -> str:
        """Which list or folder calibrates, and which part of it: ``train2017[0:64]``."""
        return calibration_name(self._spec.calibration, len(self.calibration))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over id and content of each image that is evaluated, in their order."""
        contents = self._digests.of([sample.path for sample in self.data.samples])
        ids = (sample.image_id for sample in self.data.samples)
        return _hash([*zip(ids, contents, strict=True)])

    @cached_property
    def truth(self) -> str:
        """SHA-256 of everything about the data set that scores depend on."""
        if self.data.truth:
            ids = [sample.image_id for sample in self.data.samples]
            return _hash([*self._digests.of(self.data.truth), ids])
        return _hash([[sample.image_id, sample.label] for sample in self.data.samples])

    def check_classes(self, known: int) -> None:
        """Raise UsageError where the data set's classes are not the ``known`` ones of the model."""
        dataset, name = self._spec.dataset, self._spec.model.name
        listed = self.data.classes
        if listed is not None and listed != known:
            kind = "categories" if dataset.kind == "coco" else "folders of classes"
            raise UsageError(
                f"{dataset.truth}: it has {listed} {kind}, the output of {name} has {known} classes"
            )
        highest = max((s.label for s in self.data.samples if s.label is not None), default=0)
        if highest >= known:
            raise UsageError(
                f"{dataset.truth}: it has class {highest}, the output of {name} has {known}"
                " classes, from 0"
            )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
