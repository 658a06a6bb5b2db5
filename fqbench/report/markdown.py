"""``report.md``: the tables and their notes in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fqbench.fileio import write_text
from fqbench.history.records import Since
from fqbench.report import (
    by_method,
    comparison,
    gpu,
    history,
    layers,
    measures,
    methods,
    support,
    versions,
)
from fqbench.report.notes import notes
from fqbench.report.table import COLUMNS, lines
from fqbench.results import Results


def markdown(results: Results, since: Since | None = None) -> str:
    """The whole report; ``since``: what differs in the environment against the last run."""
    told = history.since_sentence(since)
    listed = "\n".join(
        f"- {_escaped(note)}" for note in (*notes(results), *([told] if told else []))
    )
    head = f"# FP32 against INT8\n\nMeasured {results.created} (UTC)."
    parts = [head, table(COLUMNS, [line.texts for line in lines(results.rows)]), listed]
    compared = comparison.comparison(results.rows)
    if compared:
        parts += [
            "## Published and measured",
            table(comparison.COLUMNS, [line.texts for line in compared]),
            _escaped(comparison.HARDWARE),
        ]
    for section in (by_method, versions):
        beside = section.lines(results.rows)
        if beside:
            title, meaning = f"## {section.TITLE}", _escaped(section.MEANING)
            parts += [title, table(section.COLUMNS, beside), meaning]
    for found in measures.sections(results.rows, whole=True):
        listed = "\n".join(f"- {_escaped(note)}" for note in found.notes)
        parts += [f"## {found.title}", table(found.columns, found.lines), listed]
    parts += _on_gpu(results)
    costly = [row for row in results.rows if row.layers]
    if costly:
        parts += ["## What layers cost", layers.MEANING]
    for row in costly:
        columns, *worst = layers.costs(row)
        parts += [f"### {_escaped(row.cell.id)}", table(columns, worst)]
    if measured := methods.methods(results.rows):
        parts += [f"## {methods.TITLE}", table(methods.COLUMNS, measured)]
        parts += [_escaped(rest)] if (rest := methods.others(results.rows)) else []
    parts += [
        "## What runs on this machine",
        table(support.columns(), support.support()),
    ]
    return "\n\n".join(parts) + "\n"


def _on_gpu(results: Results) -> list[str]:
    found = gpu.lines(results.rows)
    if not found:
        return []
    listed = "\n".join(f"- {_escaped(note)}" for note in gpu.notes(results.rows))
    return [f"## {gpu.TITLE}", table(gpu.COLUMNS, found), listed]


def write(results: Results, folder: Path, since: Since | None = None) -> Path:
    """Write ``report.md`` into ``folder``; return its path. ``since``: see ``markdown``."""
    return write_text(folder / "report.md", markdown(results, since))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its texts escaped."""
    shown = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_escaped(text) for text in row)} |" for row in shown)


def _escaped(text: str) -> str:
    """Texts may come from untrusted specs and models: they must not add cells or HTML."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, safe)
    return text
