"""How far two texts are apart."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The least letters to insert, delete or replace that make ``other`` of ``one`` (Levenshtein,
    1966)."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(other, start=1):
            replaced = diagonal + (letter != wanted)
            diagonal, row[j] = row[j], min(replaced, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def similarity(one: str, other: str) -> float:
    """1 minus the edit distance over the length of the longer: 1 alike, 0 nothing in common.

    Two empty texts are alike. ICDAR calls it 1 - N.E.D.
    """
    longest = max(len(one), len(other))
    return 1.0 - edit_distance(one, other) / longest if longest else 1.0
