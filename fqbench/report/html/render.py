"""Pages as HTML that runs nothing and asks for nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fqbench import __version__
from fqbench.errors import UsageError
from fqbench.examine.record import Broken
from fqbench.fileio import write_text
from fqbench.history.records import Since
from fqbench.report.html.drawing import drawings
from fqbench.report.html.page import Page, page
from fqbench.results import Results
from fqbench.samples import Samples

FILE = "report.html"


def write(
    results: Results,
    samples: Samples,
    folder: Path,
    since: Since | None = None,
    broken: Broken = Broken(),
) -> Path:
    """Write ``report.html`` into ``folder``, all of it or nothing; return its path.

    ``since`` and ``broken`` as of ``page``.
    """
    return write_text(folder / FILE, html(page(results, samples, since, broken)))


def remove(folder: Path) -> None:
    """Remove the page of another run. Raises UsageError where that cannot be done."""
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot remove {folder / FILE}: {error.strerror}: choose another --out"
        ) from error


def html(shown: Page) -> str:
    """The page of a run."""
    return render("report.html.j2", shown)


def render(template: str, shown: object) -> str:
    """A template filled with the record ``shown``, under the policy of its own style and script."""
    style, script = _source("style.css"), _source("script.js")
    drawn = drawings(shown)
    values = {
        "page": shown,
        "draw": lambda plot: drawn[id(plot)],
        "style": style,
        "script": script,
        "policy": policy(style, script),
        "version": __version__,
    }
    return _environment().get_template(template).render(values)


def policy(style: str, script: str) -> str:
    """A content security policy under which this style and script work, and nothing else does."""
    return (
        f"default-src 'none'; script-src 'sha256-{_digest(script)}';"
        f" style-src 'sha256-{_digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fqbench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _source(name: str) -> Markup:
    """A file of the package, which is trusted."""
    text = (Path(__file__).parent / "templates" / name).read_text("utf-8")
    return Markup(f"\n{text}")
