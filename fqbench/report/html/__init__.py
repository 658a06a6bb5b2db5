"""``report.html``: one file that is opened from disk and asks nothing of a network.

- The same figures as in ``report.md``: both take them from the functions of ``fqbench.report``.
- One way: results become records of texts and plots (``page.py`` and what it imports, pure), these
  become HTML (``render.py`` and ``templates``).
- Names, reasons and paths are untrusted: templates escape all that is not marked as HTML, and only
  plots are, whose texts the plotting library escapes. A policy in the page forbids every script
  and style but its own two, and every request.
- Plots are Vega-Lite specs, drawn as SVG when the page is written: there is no plotting code in it,
  it prints, works without JavaScript, and its colours follow the theme. Those of the history, which
  are of one kind and many, a template draws (``series.py``): the library takes too long to start.
- No plot without its numbers as a table; no meaning by colour alone.
"""
