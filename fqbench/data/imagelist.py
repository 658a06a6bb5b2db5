"""List files as ImageNet evaluations use them: ``file class`` a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fqbench.data.sample import Sample, confined
from fqbench.errors import UsageError

# A file name may hold spaces; nine digits are more than any data set has classes.
_CLASS = re.compile(r"[0-9]{1,9}")
_WITH_CLASS = re.compile(rf"(?P<name>.*\S)\s+(?P<label>{_CLASS.pattern})")


@dataclass(frozen=True)
class Line:
    """One line: its number, counted from 1, the file it names and the class, where it has one.

    A name ends at a tab, where there is one; what follows may be another label than a class.
    """

    number: int
    name: str
    label: int | None


def read(images: Path, path: Path) -> tuple[Sample, ...]:
    """The images in the order of the file. Raises UsageError naming the line that is wrong."""
    samples = []
    for line in lines(path):
        if line.label is None:
            raise UsageError(
                f"{path}, line {line.number}: expected 'file class', class a whole number from 0 on"
            )
        samples.append(Sample(line.number, confined(images, line.name, path), line.label))
    return tuple(samples)


def lines(path: Path) -> tuple[Line, ...]:
    """The lines that are not empty. Raises UsageError where the file is no text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; name a list file that can be read"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file in UTF-8: save it as one") from error
    stripped = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1)]
    return tuple(_line(number, line) for number, line in stripped if line)


def _line(number: int, text: str) -> Line:
    name, tab, rest = text.partition("\t")
    if tab:
        label = _CLASS.fullmatch(rest.strip())
        return Line(number, name.strip(), int(label[0]) if label else None)
    match = _WITH_CLASS.fullmatch(text)
    return Line(number, match["name"], int(match["label"])) if match else Line(number, text, None)
