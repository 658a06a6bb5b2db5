"""What looking at a cell's answers image by image gives, and the file ``broken.json`` that keeps
the images of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from fqbench.fileio import write_text
from fqbench.jsonvalue import Json
from fqbench.tasks.examination import OperatingPoint, Shift

SCHEMA = 1
FILE = "broken.json"

MOST = 24
"""Images of a run that are kept with their pictures, whatever the data sets hold."""


@dataclass(frozen=True)
class Picture:
    """One image with FP32's answer drawn on it, and with INT8's: JPEG files in base64.

    ``width``, ``height``: of the larger of both, in pixels.
    """

    fp32: str
    int8: str
    width: int
    height: int


@dataclass(frozen=True)
class PartedImage:
    """An image that INT8 answers otherwise than FP32.

    ``fp32``, ``int8``: how well each answers it, 0 to 1, None without labels; ``alike``: how much
    both answers have in common, 0 to 1. ``fp32_says``, ``int8_says``: the answers in a few words.
    ``unreadable``: why there is no picture; None where there is one, or it was left out.
    """

    name: str
    fp32: float | None
    int8: float | None
    alike: float
    fp32_says: str
    int8_says: str
    picture: Picture | None = None
    unreadable: str | None = None

    @property
    def loss(self) -> float:
        """What INT8 loses of FP32's score; of what FP32 answers, without labels."""
        if self.fp32 is None or self.int8 is None:
            return 1.0 - self.alike
        return self.fp32 - self.int8


@dataclass(frozen=True)
class Changes:
    """What INT8 changes over all images of a cell.

    ``images``: as many were looked at, ``parted`` of them part; ``worse``, ``better``: where INT8
    answers worse, or better, by the labels, None without. ``measure``: what the score of an image
    is, and ``measured_at`` where; ``unit``: what decisions are. ``shift_image``: the name of the
    image where a score falls most.
    """

    images: int
    parted: int
    worse: int | None
    better: int | None
    measure: str
    measured_at: str
    unit: str
    points: tuple[OperatingPoint, ...]
    shift: Shift | None
    shift_image: str | None

    def to_json(self) -> dict[str, Json]:
        """As results hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Examined:
    """Of one cell; ``worst``: images that part, the worst first."""

    changes: Changes
    worst: tuple[PartedImage, ...]

    def to_json(self) -> dict[str, Json]:
        """What ``read`` reads."""
        return asdict(self)

    @staticmethod
    def read(path: Path) -> Examined:
        """Read what a step wrote."""
        return _EXAMINED.validate_json(path.read_bytes())


_EXAMINED = TypeAdapter(Examined)


@dataclass(frozen=True)
class Broken:
    """The images of a run that part, by the ids of cells; of each cell the worst first."""

    cells: Mapping[str, tuple[PartedImage, ...]] = field(default_factory=dict)

    def __add__(self, other: Broken) -> Broken:
        return Broken({**self.cells, **other.cells})

    def limited(self, most: int = MOST) -> Broken:
        """At most ``most`` images in all: of each cell its worst, of equal turns the worst first.

        So a cell that breaks on all images does not hide what another breaks on.
        """
        turns = sorted(
            (turn, -image.loss, image.alike, cell)
            for cell, images in self.cells.items()
            for turn, image in enumerate(images)
        )
        chosen = [cell for *_, cell in turns[:most]]
        return Broken({cell: images[: chosen.count(cell)] for cell, images in self.cells.items()})

    def to_json(self, created: str) -> dict[str, Json]:
        """The whole as a JSON object; ``created`` tells which results it belongs to."""
        cells: dict[str, Json] = {
            cell: [asdict(image) for image in images] for cell, images in self.cells.items()
        }
        return {"schema": SCHEMA, "created": created, "cells": cells}

    def write(self, folder: Path, created: str) -> Path:
        """Write ``broken.json`` into ``folder``, all of it or nothing; return its path."""
        return write_text(folder / FILE, json.dumps(self.to_json(created), allow_nan=False))
