"""The process that draws: the library is native code, and aborts on what it did not expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from fqbench.jsonvalue import Json

if TYPE_CHECKING:
    from fqbench.isolate import Report

VERSION = "5.20"
"""Of Vega-Lite, among those that the library brings."""


class Specs(TypedDict):
    """What ``draw`` is given: Vega-Lite specs."""

    specs: list[dict[str, Json]]


def draw(arguments: Specs, report: Report) -> list[str]:
    """The specs as SVG. All texts are escaped by the library, which is asked to fetch nothing."""
    import vl_convert  # Not where it is not used: it takes much memory.

    return [
        vl_convert.vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[])
        for spec in arguments["specs"]
    ]
