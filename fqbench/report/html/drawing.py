"""Plots as SVG elements, for a page that may load nothing and run no script but its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from markupsafe import Markup
from pydantic import TypeAdapter

from fqbench import isolate
from fqbench.errors import FqbenchError
from fqbench.message import read_answer
from fqbench.report.html.plots import Plot

TIMEOUT_S = 300.0

_DRAWN: TypeAdapter[list[str]] = TypeAdapter(list[str])

_ROOT = re.compile(r"^<svg ")
_MARK = re.compile(r'<path (?=aria-label="[^"]*" role="graphics-symbol")')
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold: the library ends its process where it meets one of these."""


def drawings(shown: object) -> dict[int, Markup]:
    """SVG of all plots in a record and the records in it, by the plots' identities."""
    plots = list(_plots(shown))
    return dict(zip(map(id, plots), draw(plots), strict=True))


def draw(plots: Sequence[Plot]) -> list[Markup]:
    """Plots as elements whose marks can be reached; why it is not drawn in place of one that fails.

    Together in one process; each by itself where that fails, so that one spoils no others.
    """
    if not plots:
        return []
    try:
        return [_element(*pair) for pair in zip(plots, _drawn(plots), strict=True)]
    except FqbenchError as error:
        if len(plots) > 1:
            return [element for plot in plots for element in draw([plot])]
        return [Markup('<p class="quiet">Not drawn: {}</p>').format(error)]


def _drawn(plots: Sequence[Plot]) -> list[str]:
    answer = isolate.call(
        "fqbench.report.html.artist:draw",
        {"specs": [_clean(plot.spec) for plot in plots]},
        timeout_s=TIMEOUT_S,
        name="drawing",
    )
    return read_answer(_DRAWN, answer, "drawing")


def _element(plot: Plot, svg: str) -> Markup:
    named = Markup('<svg role="graphics-document" aria-label="{}" ').format(plot.title)
    svg = _ROOT.sub(lambda _: named, svg, count=1)
    return Markup(_MARK.sub('<path tabindex="-1" class="mark" ', svg))


def _plots(shown: object) -> Iterator[Plot]:
    if isinstance(shown, Plot):
        yield shown
    elif is_dataclass(shown):
        for field in fields(shown):
            yield from _plots(getattr(shown, field.name))
    elif isinstance(shown, tuple | list):
        for each in shown:
            yield from _plots(each)


def _clean(value: Any) -> Any:
    """A spec, in whose texts the sign for what cannot be shown stands for what XML may not hold."""
    if isinstance(value, str):
        return _NOT_XML.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {name: _clean(each) for name, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value
