"""Native code in a child process of its own: what aborts, hangs or eats memory fails alone."""

from __future__ import annotations

from fqbench.isolate.parent import Report, call

__all__ = ["Report", "call"]
