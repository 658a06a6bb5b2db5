"""Tables of texts that come from the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by python -m tools.reference: change what it is written from. -->"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
