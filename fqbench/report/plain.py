"""Texts for a terminal that does nothing but show them."""

from __future__ import annotations

from rich.text import Text


def plain(text: str) -> Text:
    """``text`` without what a terminal would obey.

    Reasons quote runtimes, names come from untrusted specs: either may hold escape sequences.
    """
    return Text("".join(c if c.isprintable() or c == "\n" else " " for c in text))
