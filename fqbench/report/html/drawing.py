"""Specs drawn as SVG, for a page that may load nothing and run no script but its own."""

from __future__ import annotations

import re

from markupsafe import Markup

from fqbench.report.html.plots import Plot

_VERSION = "5.20"
"""Of Vega-Lite, among those that the drawing library brings."""

_ROOT = re.compile(r"^<svg ")
_POINT = re.compile(r'<path (?=aria-label="[^"]*" role="graphics-symbol")')


def draw(plot: Plot) -> Markup:
    """A plot as an SVG element: its marks can be reached with the arrow keys.

    All its texts are escaped by the library, which is asked to fetch nothing.
    """
    import vl_convert  # It takes much memory, and only pages need it.

    svg = vl_convert.vegalite_to_svg(plot.spec, vl_version=_VERSION, allowed_base_urls=[])
    named = Markup('<svg role="graphics-document" aria-label="{}" ').format(plot.title)
    svg = _ROOT.sub(lambda _: named, svg, count=1)
    return Markup(_POINT.sub('<path tabindex="-1" class="mark" ', svg))
