"""List files as ImageNet evaluations use them: ``file class`` a line."""

from __future__ import annotations

from pathlib import Path

from fqbench.data.sample import Sample, confined
from fqbench.errors import UsageError


def read(images: Path, path: Path) -> tuple[Sample, ...]:
    """The images in the order of the file. Raises UsageError naming the line that is wrong."""
    samples = []
    for number, name, rest in lines(path):
        if not rest.isdecimal():
            raise UsageError(f"{path}, line {number}: expected 'file class', class a whole number")
        samples.append(Sample(number, confined(images, name, path), int(rest)))
    return tuple(samples)


def lines(path: Path) -> list[tuple[int, str, str]]:
    """Line number, file name and what follows it, of each line that is not empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path} as a text file: {error}") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            found.append((number, name, rest.strip()))
    return found
