"""No module outside the folders of methods and precisions compares the name of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fqbench
from fqbench.methods import methods
from fqbench.precisions import precisions
from fqbench.precisions.own import EXACT, VARIANTS

PACKAGE = Path(fqbench.__file__).parent

OWN = ("methods/", "precisions/")
"""Folders that may."""

PRECISIONS_OF = ("backends/",)
"""Folders that may have the names of precisions: a runtime decides what it runs."""

EXCEPTIONS = {
    "pipeline/graph/findings.py": "names of inputs that steps have",
    "pipeline/graph/quantization.py": "a key of a spec, as an input of a step",
    "pipeline/steps/answering.py": "names of folders in an artifact",
    "quantize/calibrate.py": "a record says what made it, and lies below the methods",
    "spec/load.py": "keys of a spec",
    "spec/model.py": "a key of a spec",
    "zoo/published.py": "a key of a spec",
    "measure/reference.py": "a reference kernel",
    "report/html/environment.py": "a reference kernel",
    "report/timing.py": "a reference kernel",
    "compress/job.py": "keys of a spec",
    "convert/operators/arithmetic.py": "a type of numbers",
}


def words(file: str) -> frozenset[str]:
    numbers = {*precisions(), *(each.name for each in VARIANTS), EXACT}
    # Half is what a float16 form is called, too.
    made = {*methods(), *(each.method for each in precisions().values())} - {None, "half", "*"}
    return frozenset(made if file.startswith(PRECISIONS_OF) else made | numbers)


def named(file: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is one of the words."""
    known = words(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in known:
            yield node.lineno, repr(node.value)


def outside() -> list[str]:
    files = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(file for file in files if not file.startswith(OWN))


def found_in(file: str) -> list[str]:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    return [f"line {line}: {text}" for line, text in named(file, tree)]


def test_no_module_outside_names_a_method_or_a_precision() -> None:
    found = {file: names for file in outside() if (names := found_in(file))}
    assert {file: names for file, names in found.items() if file not in EXCEPTIONS} == {}


@pytest.mark.parametrize("file", EXCEPTIONS)
def test_every_exception_is_needed(file: str) -> None:
    assert found_in(file)


@pytest.mark.parametrize(
    "text", ['if method == "offline": pass', 'x = {"given": 1}', 'row.precision != "int8_file"']
)
def test_a_name_is_found(text: str) -> None:
    assert list(named("report/table.py", ast.parse(text)))
