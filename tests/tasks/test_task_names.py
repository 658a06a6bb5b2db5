"""No module outside a task's folder names a task, a metric, a decoder or a type of answers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fqbench
from fqbench.tasks.registry import answer_formats, decoders, metrics, tasks

PACKAGE = Path(fqbench.__file__).parent

ANY_TASK = frozenset({"python", "none"})
"""Decoders of no task, whose kinds have other meanings, too. Their classes are looked for."""

EXCEPTIONS = {
    "compress/translate.py": "a config names no task: the shape of the outputs tells it, and that"
    " nothing is decoded",
    "zoo/embedded.py": "the specs of the embedded models",
    "zoo/processing.py": "the specs of the published models",
    "zoo/published.py": "the data sets of the published models",
    "zoo/seeded/models.py": "the specs of the seeded networks",
    "zoo/export.py": "modules of networks are called as decoders are",
}


def words() -> frozenset[str]:
    return frozenset({*tasks(), *metrics(), *decoders()}) - ANY_TASK


def classes() -> frozenset[str]:
    settings = (decoder.settings.__name__ for decoder in decoders().values())
    answers = (known.answer_type.__name__ for known in answer_formats().values())
    return frozenset({*settings, *answers}) - {"int"}


def named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is one of the words, and of every class that is used."""
    known, types = words(), classes()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in known:
            yield node.lineno, repr(node.value)
        elif isinstance(node, ast.Name) and node.id in types:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and node.attr in types:
            yield node.lineno, node.attr


def outside() -> list[str]:
    files = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(file for file in files if not file.startswith("tasks/"))


def found_in(file: str) -> list[str]:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    return [f"line {line}: {text}" for line, text in named(tree)]


def test_no_module_outside_names_what_a_task_provides() -> None:
    found = {file: names for file in outside() if (names := found_in(file))}
    assert {file: names for file, names in found.items() if file not in EXCEPTIONS} == {}


@pytest.mark.parametrize("file", EXCEPTIONS)
def test_every_exception_is_needed(file: str) -> None:
    assert found_in(file)


@pytest.mark.parametrize(
    "text",
    [
        'if spec.metric == "mAP": pass',
        'POINTS = {"top1": 100.0}',
        "isinstance(decode, YoloV5 | YoloX)",
        "spec.PPYoloe(kind=kind)",
        'x = spec.task == "detection"',
    ],
)
def test_a_name_is_found(text: str) -> None:
    assert list(named(ast.parse(text)))
