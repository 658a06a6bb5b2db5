"""Images of words or lines with what is written in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from fqbench.data import EvaluationSet, Sample
from fqbench.data.sample import confined
from fqbench.errors import UsageError
from fqbench.tasks.record import DatasetKind, DatasetSettings


class Transcripts(DatasetSettings):
    """A folder of images and a text file with ``file``, a tab and the text a line.

    Of all that are listed, each ``every``-th from ``start`` on.
    """

    kind: Literal["transcripts"]
    images: Path
    list: Path
    every: Annotated[int, Field(gt=0)] = 1
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(gt=0)] | None = None

    @property
    def truth(self) -> Path:
        """The file that says what is in the images."""
        return self.list


@dataclass(frozen=True)
class TranscriptSet(EvaluationSet):
    """``texts``: what is written in each image, by the image's id, the number of its line."""

    texts: Mapping[int, str] = field(default_factory=dict)


def _read(settings: Transcripts) -> TranscriptSet:
    path = settings.list
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; name a list file that can be read"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file in UTF-8: save it as one") from error
    samples, texts = [], {}
    for number, line in enumerate(lines, start=1):
        name, tab, text = line.rstrip("\r").partition("\t")
        if not line.strip():
            continue
        if not tab or not text:
            raise UsageError(f"{path}, line {number}: expected a file, a tab and a text")
        samples.append(Sample(number, confined(settings.images, name, path)))
        texts[number] = text
    return TranscriptSet(tuple(samples), path, texts=texts)


TRANSCRIPTS = DatasetKind(settings=Transcripts, read=_read)
