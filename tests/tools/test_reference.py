"""The generated reference is what the code says now."""

import ast
import re
from pathlib import Path

import pytest

from tools.reference import __main__ as reference
from tools.reference.variables import VARIABLES

ROOT = Path(__file__).parents[2]


def section(page: str, title: str) -> str:
    text = (ROOT / reference.FOLDER / page).read_text()
    return re.split(r"^#+ ", text.partition(f"{title}\n")[2], maxsplit=1, flags=re.M)[0]


def test_the_pages_are_up_to_date():
    assert reference.stale(ROOT / reference.FOLDER) == [], "run python -m tools.reference"


def test_a_page_that_is_not_is_seen_and_written_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    page = tmp_path / reference.FOLDER / "variables.md"
    page.write_text(page.read_text().replace("FQBENCH_DATA", "FQBENCH_DTA"))
    capsys.readouterr()
    assert reference.main(["--check"]) == 1
    said = "docs/reference/variables.md is not up to date: run python -m tools.reference\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("page", "title", "line"),
    [
        ("spec-keys.md", "# Spec keys", "| `speed` | `measured`, `assumed` | `measured` |"),
        (
            "spec-keys.md",
            "## `preprocess.resize` of kind `letterbox`",
            "| `pad` | whole number, from 0 to 255 | `114` |",
        ),
        ("spec-keys.md", "## `calibration`", "| `images` | path | required |"),
        (
            "commands.md",
            "## fqbench run",
            "| `--batch` | `N` | images of one inference that is timed on a GPU (default: 1) |",
        ),
        ("commands.md", "## fqbench gate", "| 0 | nothing is worse |"),
        (
            "commands.md",
            "### fqbench env make",
            "| `NAME` | `NAME` | one of the list, or NAME==VERSION |",
        ),
    ],
)
def test_what_stands_in_them(page, title, line):
    assert line in section(page, title).splitlines()


def test_every_variable_that_the_code_names_is_listed():
    named = {
        node.value
        for path in (ROOT / "fqbench").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"FQBENCH_[A-Z_]+", node.value)
    }
    assert named == VARIABLES.keys()
