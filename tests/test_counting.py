"""Numbers of things in words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from fqbench.counting import counted, measured, verb

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells"), (1000, "1000 cells")]
)
def test_only_a_single_thing_has_no_plural(number, text):
    assert counted(number, "cell") == text


def test_a_quantity_is_single_only_where_it_is_one():
    assert [measured(each, "point") for each in (1.0, 0.5, 0, 2)] == [
        "1 point",
        "0.5 points",
        "0 points",
        "2 points",
    ]


def test_the_verb_follows_the_number():
    assert (verb(1, "is", "are"), verb(0, "is", "are"), verb(3, "is", "are")) == (
        "is",
        "are",
        "are",
    )


COUNTED = re.compile(r"^ (more )?(cells|runs|rows|notes|layers|drops|cores|threads)\b")


def test_reports_write_no_plural_beside_a_number_that_may_be_one():
    """A number in an f-string before ``cells`` is always counted: ``1 cells`` cannot be written."""
    found = []
    for path in sorted((ROOT / "fqbench/report").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found += [
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                    for number, text in zip(node.values, node.values[1:], strict=False)
                    if isinstance(number, ast.FormattedValue)
                    and isinstance(text, ast.Constant)
                    and COUNTED.match(str(text.value))
                ]
    assert found == []
