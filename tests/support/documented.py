"""The shell commands of README and docs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def blocks(page: Path) -> list[str]:
    """Its blocks of shell commands."""
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)


def commands(block: str) -> Iterator[list[str]]:
    """The words of each command, those of a pipe and of a list apart, redirections left out.

    What a here-document holds is no command.
    """
    text = re.sub(r"(<<'?(\w+)'?.*?\n).*?^\2$", r"\1", block, flags=re.M | re.S)
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;|\|(?!\|)", _without_quoted(line)):
            words = shlex.split(_quoted_again(part), comments=True)
            while words and words[0] in ("do", "done", "time"):
                words = words[1:]
            end = next((i for i, word in enumerate(words) if word[0] in "<>"), len(words))
            if words[:end]:
                yield words[:end]


SEPARATORS = {sign: chr(0xE000 + place) for place, sign in enumerate(";|&")}
"""Signs within quotes separate nothing: they are put aside while the rest is split."""


def _without_quoted(line: str) -> str:
    def aside(found: re.Match[str]) -> str:
        return "".join(SEPARATORS.get(sign, sign) for sign in found[0])

    return re.sub(r"'[^']*'|\"[^\"]*\"", aside, line)


def _quoted_again(part: str) -> str:
    for sign, stand_in in SEPARATORS.items():
        part = part.replace(stand_in, sign)
    return part


def of_fqbench(page: Path) -> list[list[str]]:
    """The arguments of each ``fqbench`` command of a page."""
    return [
        words[1:]
        for block in blocks(page)
        for words in commands(block)
        if Path(words[0]).name == "fqbench"
    ]
