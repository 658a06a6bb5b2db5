"""``report.md``: the table and its notes in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, lines
from fqbench.results import Results, write_text


def markdown(results: Results) -> str:
    """The whole report."""
    table = [COLUMNS, ("---",) * len(COLUMNS), *(line.texts for line in lines(results.rows))]
    listed = "\n".join(f"- {_escaped(note)}" for note in notes(results))
    head = f"# FP32 against INT8\n\nMeasured {results.created} (UTC).\n"
    return f"{head}\n{_rows(table)}\n\n{listed}\n"


def write(results: Results, folder: Path) -> Path:
    """Write ``report.md`` into ``folder``; return its path."""
    return write_text(folder / "report.md", markdown(results))


def _rows(table: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(_escaped(text) for text in row)} |" for row in table)


def _escaped(text: str) -> str:
    """Texts may come from specs and models of strangers: no cell, no HTML of theirs."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, safe)
    return text
