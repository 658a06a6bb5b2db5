"""What the jobs of steps that read images and graphs hold, and what their functions do with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fqbench.data.ahead import ahead
from fqbench.isolate import Report
from fqbench.measure.cell_loading import Reading
from fqbench.steps.job import Job
from fqbench.vision.geometry import Box, Geometry
from fqbench.vision.image import read_image

if TYPE_CHECKING:
    from typing_extensions import Self

GRAPH = "model.onnx"
"""The file of a step's artifact that holds an ONNX graph."""


class ReadingJob(Job):
    """A job that reads ``images``, for a model that takes them as ``reading`` says."""

    images: tuple[Path, ...]
    reading: Reading

    def first(self, count: int) -> Self:
        """The same job with no more than ``count`` of its images."""
        boxes = {"boxes": self.reading.boxes[:count]}
        reading = self.reading.model_copy(update=boxes)
        return self.model_copy(update={"images": self.images[:count], "reading": reading})

    def feeds(self, report: Report) -> Iterator[list[Any]]:
        """The tensors of each image, read while the one before is worked on."""
        yield from read_feeds(self.images, self.reading, report)

    def placed(self) -> list[tuple[list[Any], Geometry]]:
        """The tensors of each image, and where it lies in them."""
        return [self.reading.placed(*image) for image in self.reading.with_boxes(self.images)]

    def check_feeds(self, model: Any) -> list[list[Any]]:
        """What a rewritten ONNX ``model`` is checked with: the images, or noise without any.

        The noise has the shapes of the model's inputs.
        """
        from fqbench.verify.noise import noise

        if self.images:
            return list(self.feeds(lambda done, total, told="", /: None))
        return noise(model)


def read_feeds(
    images: tuple[Path, ...], reading: Reading, report: Callable[[int, int], None]
) -> Iterator[list[Any]]:
    """The tensors of each of ``images``, read while the one before is worked on."""

    def fed(numbered: tuple[int, tuple[Path, Box | None]]) -> list[Any]:
        number, (path, box) = numbered
        return reading.turn(number).feed(read_image(path), box=box)

    read = ahead(fed, enumerate(reading.with_boxes(images)), workers=1, most=2)
    for done, feed in enumerate(read, start=1):
        yield feed
        report(done, len(images))


def load_graph(folder: Path) -> Any:
    """The ONNX graph of the artifact in ``folder``."""
    import onnx

    return onnx.load(str(folder / GRAPH))


def save_graph(model: Any, folder: Path) -> None:
    """Write an ONNX graph as that of the artifact in ``folder``."""
    import onnx

    onnx.save(model, str(folder / GRAPH))


def write_json(folder: Path, name: str, value: Any) -> None:
    """Write a JSON file into ``folder``."""
    (folder / name).write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False))
