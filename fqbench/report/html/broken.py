"""What INT8 broke: images where its answers part from FP32's, as the report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fqbench.counting import counted, verb
from fqbench.examine.record import Broken, Changes, PartedImage
from fqbench.precisions import precision
from fqbench.results import Row


@dataclass(frozen=True)
class DrawnAnswer:
    """One side of an image. ``source``: a data URI; ``alt``: what is to be seen, in words."""

    source: str
    alt: str


@dataclass(frozen=True)
class ShownImage:
    """An image; ``drawn``: FP32's answer and INT8's, empty where there is no picture.

    ``fp32``, ``int8``: the answers and their scores in words; ``note``: why there is no picture.
    """

    name: str
    drawn: tuple[DrawnAnswer, ...]
    width: int
    height: int
    fp32: str
    int8: str
    note: str


@dataclass(frozen=True)
class BrokenCell:
    """One INT8 cell; ``summary``: what it changes in one sentence."""

    cell: str
    summary: str
    images: tuple[ShownImage, ...]


@dataclass(frozen=True)
class BrokenView:
    """The section. ``meaning``: what the score of an image is, for each model that is shown."""

    cells: tuple[BrokenCell, ...]
    meaning: tuple[str, ...]


def view(rows: Sequence[Row], broken: Broken) -> BrokenView | None:
    """The section on the INT8 cells that were evaluated beside FP32; None where there is none."""
    cells = tuple(
        BrokenCell(row.cell.id, _summary(row, len(shown)), tuple(map(_image, shown)))
        for row in rows
        if is_examined(row)
        for shown in [broken.cells.get(row.cell.id, ())]
    )
    return BrokenView(cells, tuple(dict.fromkeys(_meanings(rows)))) if cells else None


def is_examined(row: Row) -> bool:
    """Whether it is an INT8 cell whose answers stand beside FP32's."""
    if precision(row.cell.precision).weights.kind == "float":
        return False
    return row.changes is not None or row.drop is not None


def nothing_known(row: Row) -> str:
    """Why there is nothing about the answers of ``row``, in one sentence."""
    if row.slowdown is not None:
        return "FP32 runs in its place since it is faster here, so nothing changes."
    return "What it changes could not be found out; the messages of the run say why."


def _summary(row: Row, shown: int) -> str:
    found = row.changes
    if found is None:
        return nothing_known(row)
    if not found.parted:
        images = verb(found.images, "the image", f"all {found.images} images")
        return f"FP32 and INT8 answer {images} alike."
    parts = verb(found.parted, "parts", "part")
    text = f"{found.parted} of {counted(found.images, 'image')} {parts}{_verdicts(found)}."
    if not shown:
        return f"{text} Others of this run are worse and are shown instead."
    if shown < found.parted:
        return (
            f"{text} The {shown} worst are shown." if shown > 1 else f"{text} The worst is shown."
        )
    return text


def _verdicts(found: Changes) -> str:
    if found.worse is None or found.better is None:
        return ""
    return f": INT8 answers {found.worse} worse by their labels and {found.better} better"


def _meanings(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.changes is not None:
            at = f", {row.changes.measured_at}" if row.changes.measured_at else ""
            yield f"{row.cell.model}: {row.changes.measure}{at}"


def _image(image: PartedImage) -> ShownImage:
    scored = (("FP32", image.fp32_says, image.fp32), ("INT8", image.int8_says, image.int8))
    fp32, int8 = (f"{says}{_scored(score)}" for _, says, score in scored)
    if image.fp32 is None:
        int8 = f"{int8} ({100 * image.alike:.0f} % in common with FP32)"
    picture = image.picture
    if picture is None:
        note = f"No picture: {image.unreadable}." if image.unreadable else ""
        return ShownImage(image.name, (), 0, 0, fp32, int8, note)
    sources = (picture.fp32, picture.int8)
    drawn = tuple(
        DrawnAnswer(f"data:image/jpeg;base64,{source}", f"{image.name}, {side}: {says}")
        for source, (side, says, _) in zip(sources, scored, strict=True)
    )
    return ShownImage(image.name, drawn, picture.width, picture.height, fp32, int8, "")


def _scored(score: float | None) -> str:
    return "" if score is None else f" (score {score:.2f})"
