"""What the steps of one model read: its file, and images as it takes them."""

from __future__ import annotations

from pathlib import Path

from fqbench.data.calibration import evenly_spaced
from fqbench.measure.cell_loading import Reading
from fqbench.pipeline.images import Images
from fqbench.pipeline.nodes import CHECKED, NodeFactory
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.spec.inputs import PLAIN
from fqbench.spec.preprocessing import Size
from fqbench.steps import Files
from fqbench.steps.step import Input

JUDGED_PIXELS = 8 * 640 * 640
FEWEST_JUDGING, MOST_JUDGING = 8, 256
"""How much of the calibration images tells what rounding a layer costs, and how many at least and
at most: small images are quick to judge by, and each says less."""

HALF_IMAGES = 4
"""Calibration images that tell which tensors do not fit float16."""


class ModelInputs(NodeFactory):
    """The start of a model's graph: all that a step is given and no other step makes.

    ``facts``: what the model's file says; ``allow_code``: whether a decoder of the user's own may
    run; ``caches``: a folder for what builders of engines use again. Raises UsageError where images
    do not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        images: Images,
        *,
        allow_code: bool,
        caches: Path,
    ) -> None:
        super().__init__(spec.name)
        self.spec, self.images, self._caches = spec, images, caches
        self._facts, self.allow_code = facts, allow_code
        self.own_reading = _reading(spec, facts)
        self.reading = self.own_reading.plain
        self.int8_reading = self.reading if facts.int8 is None else _reading(spec, facts.int8)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is made of the model's file that its user has to know, in words."""
        return self._facts.notes

    @property
    def source(self) -> Files:
        """All files of the model."""
        return files_of(self.spec, self._facts)

    @property
    def takes_its_own_input(self) -> bool:
        """Whether the model's file takes its image in another layout or type than graphs do."""
        form = self._facts.form
        return (form.layout, form.type) != (PLAIN.layout, PLAIN.type)

    @property
    def decode(self) -> Input:
        """The spec's ``decode``, as steps read it."""
        found: dict[str, object] = self.spec.decode.model_dump(mode="json")
        return found  # type: ignore[return-value]

    def read(self, images: tuple[Path, ...], reading: Reading | None = None) -> dict[str, Input]:
        """Inputs of a step that reads ``images``, by default as the canonical graph takes them."""
        placed = {"sizes": self._sizes, "boxes": self.images.boxes(images)}
        chosen = (reading or self.reading).model_copy(update=placed)
        return {"images": Files(images), "reading": dumped(chosen)}

    @property
    def _checked_on(self) -> dict[str, Input]:
        """Images that rewritten models are checked with, and how they are read."""
        return self.read(self.images.checking(CHECKED))

    @property
    def _overflowing(self) -> dict[str, Input]:
        """Images that tell what does not fit float16, and how they are read."""
        return self.read(evenly_spaced(self.images.calibration, HALF_IMAGES))

    @property
    def judging(self) -> tuple[Path, ...]:
        """The calibration images that tell what rounding costs."""
        height, width = self.spec.preprocess.resize.output
        count = min(max(JUDGED_PIXELS // (height * width), FEWEST_JUDGING), MOST_JUDGING)
        return evenly_spaced(self.images.calibration, count)

    @property
    def _sizes(self) -> tuple[Size, ...]:
        """That images are read at by turns, from which no answers are."""
        return self.spec.calibration.sizes


def _reading(spec: ModelSpec, facts: ModelFacts) -> Reading:
    """How an image becomes the inputs of a model's file."""
    return Reading(
        preprocess=spec.preprocess, inputs=facts.inputs, form=facts.form, others=facts.others
    )


def dumped(reading: Reading) -> Input:
    """``reading`` as an input of a step."""
    found: Input = reading.model_dump(mode="json")
    return found


def files_of(spec: ModelSpec, facts: ModelFacts | None) -> Files:
    """The model's file, and those of its weights."""
    if spec.source_format == "onnx":
        return Files((spec.model, *(facts.data_files if facts is not None else ())))
    return Files((spec.model, spec.params or spec.model.with_suffix(".pdiparams")))
