"""Pages as HTML that runs nothing and asks for nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fqbench import __version__
from fqbench.fileio import write_text
from fqbench.report.html.drawing import draw
from fqbench.report.html.page import Page, page
from fqbench.results import Results
from fqbench.samples import Samples

FILE = "report.html"


def write(results: Results, samples: Samples, folder: Path) -> Path:
    """Write ``report.html`` into ``folder``, all of it or nothing; return its path."""
    return write_text(folder / FILE, html(page(results, samples)))


def html(shown: Page) -> str:
    """The page of a run."""
    return render("report.html.j2", page=shown)


def render(template: str, **values: object) -> str:
    """A template with the style and the script of all pages, and the policy that allows these."""
    style, script = _source("style.css"), _source("script.js")
    return (
        _environment()
        .get_template(template)
        .render(
            style=style,
            script=script,
            policy=policy(style, script),
            version=__version__,
            **values,
        )
    )


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
    found = Environment(
        loader=PackageLoader("fqbench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["draw"] = draw
    return found


@cache
def _source(name: str) -> Markup:
    """A file of the package, which is trusted."""
    text = (Path(__file__).parent / "templates" / name).read_text("utf-8")
    return Markup(f"\n{text}")
