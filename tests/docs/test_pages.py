"""Pages name what is there: files, modules, and each other."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.documented import GENERATED, PAGES, ROOT, fences, links, spans

OF_A_USER = {
    ".github/workflows/models.yml": "a workflow of the reader's repository",
    "fqbench.lock": "a file of the data root",
}
"""What looks like a path or module of this repository and is none, each with what it is."""

WRITTEN = {"load.py"}
"""Sources that commands write."""

TOP = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"docs"}
FOLDERS = {path.name for path in (ROOT / "fqbench").iterdir() if path.is_dir()}
SOURCES = {path.name for top in sorted(TOP) if top[0] != "." for path in (ROOT / top).rglob("*.py")}
MODULES = re.compile(r"(?:fqbench|tools|tests)(?:\.\w+)+(?::\w+)?")
PATHS = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
FILES = re.compile(r"\.(?:py|md|ya?ml|toml|txt|csv|json|in|html|j2|onnx)$")


def paths(page: Path) -> list[str]:
    """Code spans that are paths inside of the repository, from its root or from ``fqbench``."""
    found = [word for span in spans(page) for word in span.split() if PATHS.fullmatch(word)]
    return [
        path
        for path in found
        if (first := path.partition("/")[0]) in TOP
        or (first in FOLDERS and "/" in path and FILES.search(path))
    ]


def modules(page: Path) -> list[str]:
    return [found for span in spans(page) for found in MODULES.findall(span)]


def is_there(name: str) -> bool:
    """Whether a module, or what one has under its last name, is there."""
    module, _, attribute = name.partition(":")
    if not attribute:
        try:
            if find_spec(module):
                return True
        except ModuleNotFoundError:
            pass
        module, _, attribute = module.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    missing = [
        path
        for path in paths(page)
        if not (ROOT / path).exists()
        and not (ROOT / "fqbench" / path).exists()
        and path not in OF_A_USER
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sources_that_are_named_without_a_folder_are_there(page):
    named = {word for span in spans(page) for word in span.split()}
    assert {name for name in named if re.fullmatch(r"\w+\.py", name)} - SOURCES - WRITTEN == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_are_there(page):
    missing = [name for name in modules(page) if not is_there(name)]
    assert [name for name in missing if name not in OF_A_USER] == []


def test_what_is_of_a_user_is_named():
    named = {name for page in PAGES for name in (*paths(page), *modules(page))}
    assert OF_A_USER.keys() - named == set()


def test_what_is_looked_for():
    page = ROOT / "docs/architecture.md"
    assert "tests/backends/test_backends.py" in paths(page)
    assert "steps/step.py" in paths(page)
    assert "tools.cpu_mask" in modules(page)
    assert is_there("fqbench.measure.stats.ratio")
    assert is_there("fqbench.gate.side:build")
    assert not is_there("fqbench.measure.statistics")
    assert not is_there("fqbench.measure.stats.rato")


@pytest.mark.parametrize("page", [*PAGES, *GENERATED], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_every_page_is_two_clicks_from_the_readme():
    one = {(ROOT / link).resolve() for link in links(ROOT / "README.md")}
    two = {
        (page.parent / link).resolve()
        for page in one
        if page.suffix == ".md"
        for link in links(page)
    }
    assert {*PAGES[1:], *GENERATED} - one - two == set()


def test_the_readme_is_one_screen_and_a_picture():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_blocks_of_the_shell(page):
    """Where tests find them."""
    command = re.compile(r"^\s*(\$ |(\.venv/bin/)?(fqbench|python3?|pip|pytest|git) )", re.M)
    others = [text for language, text in fences(page) if language in ("", "bash", "console")]
    assert [text for text in others if command.search(text)] == []


def test_every_tool_has_a_line():
    """Those that others import are no tools."""
    text = (ROOT / "docs/tools.md").read_text()
    files = {path.stem for path in (ROOT / "tools").glob("*.py") if "__main__" in path.read_text()}
    folders = {path.parent.name for path in (ROOT / "tools").glob("*/__main__.py")}
    assert {name for name in files | folders if not re.search(rf"tools[./]{name}\b", text)} == set()
