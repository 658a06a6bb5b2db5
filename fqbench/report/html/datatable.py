"""Tables as pages show them: texts, and what they are sorted by."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SHORT = 30
"""Characters of a text that is not broken into lines."""

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_INTERVAL = re.compile(r"(?P<value>\S+(?: %)?) (?P<interval>\(\S+ to \S+\))")


@dataclass(frozen=True)
class TableCell:
    """A text; ``key``: the number that it is sorted by, None where it starts with none."""

    text: str
    key: float | None

    @property
    def parts(self) -> tuple[str, str | None]:
        """The text before its interval, and that: a narrow column has it in a line of its own."""
        found = _INTERVAL.fullmatch(self.text)
        return (self.text, None) if found is None else (found["value"], found["interval"])

    @property
    def is_short(self) -> bool:
        """Whether it stays on one line."""
        return len(self.text) <= SHORT


@dataclass(frozen=True)
class DataTable:
    """A table with its ``caption``; every row has a text for each column.

    ``lesser``: columns that are hidden until all are asked for; ``wide``: those beside them that a
    phone has no room for.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lesser: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()

    @property
    def ranks(self) -> tuple[str, ...]:
        """Of each column what hides it: ``lesser``, ``wide`` or nothing."""
        return tuple(
            "lesser" if name in self.lesser else "wide" if name in self.wide else ""
            for name in self.columns
        )

    @property
    def cells(self) -> tuple[tuple[TableCell, ...], ...]:
        """The rows with what they are sorted by."""
        return tuple(tuple(TableCell(text, leading_number(text)) for text in r) for r in self.rows)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Of each column whether it holds numbers: most of its texts that say anything do."""
        return tuple(map(_mostly_numbers, zip(*self.rows, strict=True))) if self.rows else ()


def table(
    caption: str,
    columns: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    lesser: Iterable[str] = (),
    wide: Iterable[str] = (),
) -> DataTable:
    """A table of any iterables; columns in which no row says anything are left out.

    ``lesser``, ``wide``: see ``DataTable``.
    """
    names, texts = tuple(columns), [tuple(row) for row in rows]
    kept = [i for i in range(len(names)) if any(row[i] not in ("", "-") for row in texts)]
    return DataTable(
        caption,
        tuple(names[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in texts),
        frozenset(lesser),
        frozenset(wide),
    )


def leading_number(text: str) -> float | None:
    """The number that a text starts with: 2.5 of ``2.50 (2.4 to 2.6)``, None of ``yolov5s``."""
    found = _NUMBER.match(text)
    if found is None or text[found.end() :][:1] not in ("", " ", ",", "\u00a0"):
        return None
    value = float(found.group())
    return value if math.isfinite(value) else None


def _mostly_numbers(texts: Iterable[str]) -> bool:
    said = list(_said(texts))
    return bool(said) and 2 * sum(leading_number(text) is not None for text in said) > len(said)


def _said(texts: Iterable[str]) -> Iterator[str]:
    return (text for text in texts if text not in ("", "-"))
