"""What README and docs show: shell commands, links, and names of files and modules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
GENERATED = tuple(sorted((ROOT / "docs/reference").glob("*.md")))


def fences(page: Path) -> list[tuple[str, str]]:
    """Its fenced blocks: language, which may be empty, and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S)


def blocks(page: Path) -> list[str]:
    """Its blocks of shell commands."""
    return [text for language, text in fences(page) if language == "sh"]


def prose(page: Path) -> str:
    """Its text without fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)


def links(page: Path) -> list[str]:
    """The targets of its links and pictures that are in the repository, without anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link.partition("#")[0] for link in found if not re.match(r"https?:|#", link)]


def spans(page: Path) -> list[str]:
    """What stands in its code spans."""
    return [" ".join(text.split()) for text in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))]


def commands(block: str) -> Iterator[list[str]]:
    """The words of each command, those of a pipe and of a list apart, redirections left out.

    What a here-document holds is no command, nor what a comment says.
    """
    text = re.sub(r"(<<'?(\w+)'?.*?\n).*?^\2$", r"\1", block, flags=re.M | re.S)
    for line in text.replace("\\\n", " ").splitlines():
        bare = re.sub(r"(^|\s)#.*", "", _without_quoted(line))
        for part in re.split(r"&&|\|\||;|\|(?!\|)", bare):
            words = shlex.split(_quoted_again(part))
            while words and words[0] in ("do", "done", "time"):
                words = words[1:]
            end = next((i for i, word in enumerate(words) if word[0] in "<>"), len(words))
            if words[:end]:
                yield words[:end]


SEPARATORS = {sign: chr(0xE000 + place) for place, sign in enumerate(";|&#")}
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
