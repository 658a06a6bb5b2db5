"""Errors that a person reads say what to do next: every place that raises one is looked at.

What is looked for is an instruction in the text itself, or a list of what is possible. A text that
is made elsewhere and only passed on (``f"{path}: {found}"``) says nothing here, and is not judged;
nor is a step's failure, which says what happened: not always can a user do something about it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "fqbench"

SAID_BY_A_PART = {
    "{} is not possible: {}": "what to use is in REFUSED",
    "{}: {} of {} {} unusable: {}{}": "what to do with each",
    "{} is not a whole ONNX model: {}": "how to get one, by what the file is",
    "{} is not a whole Paddle inference model: {}": "likewise",
    "the environment {} was not made: {}": "by what the installer said",
    "{} is not a Python: it does not run as one": "by whoever asked it",
    "{} does not run: {}": "likewise",
    "{} did not answer within {} s": "likewise",
    "{} failed: {}": "likewise",
    "there is no environment {}: there can be {}": "the list",
    "{} keeps weights in {}, which {}": "how to get the file",
    "{}: the model ends in non-maximum suppression, which decode.kind {} does not expect"
    ": {} does": "which kind does",
    "{}: the outputs have shapes {}, which {} does not read{}": "which decode.kind reads them",
    "{}: input {} has shape {}, the spec of {} makes {}: {}": "the keys to look at",
    "{} is not an image of a known format: {}": "the formats",
}
"""Texts whose instruction is filled in."""

VERBS = (
    "add allow annotate ask cache calibrate check choose close commit compare complete convert"
    " correct create cut decode delete end evaluate expand export fetch fill free freeze give"
    " install keep leave let list look lower make mark measure mend move name put raise reinstall"
    " remove repair replace require run save say see set spell start take try uninstall unpack"
    " unset update use wait write"
)
INSTRUCTION = re.compile(
    rf"(?:[:;,.(]|\bor|\band)\s+(?:to [^:]+, )?(?:{'|'.join(VERBS.split())})\b(?! of\b)"
    # What is possible, or where that is said.
    r"|\bexpected \S|\b(?:are|has|have|needs|is for)(?: the \w+)?:? \{|: there are some for \{"
    r"|'fqbench [a-z]|\bfqbench [a-z]+ (?:shows|says|lists|makes)"
    r"|\bbytes are allowed"
)


def _literal(node: ast.AST) -> str:
    """The literal text, what is filled in as ``{}``."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_literal, node.values))
    if isinstance(node, ast.BinOp):
        return _literal(node.left) + _literal(node.right)
    return "{}"


def raised(source: str) -> Iterator[tuple[int, str]]:
    """Lines that make a UsageError, each with the text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "UsageError":
            yield node.lineno, _literal(node.args[0])


def is_passed_on(text: str) -> bool:
    return re.search(r"[a-z]{3}", text) is None


def lacking(source: str) -> list[str]:
    return [
        f"{line}: {text}"
        for line, text in raised(source)
        if not is_passed_on(text)
        and text not in SAID_BY_A_PART
        and INSTRUCTION.search(text) is None
    ]


def test_errors_say_what_to_do():
    found = {
        str(path.relative_to(ROOT)): wanting
        for path in sorted(ROOT.rglob("*.py"))
        if (wanting := lacking(path.read_text()))
    }
    assert found == {}


def test_what_is_let_through_is_there():
    found = {text for path in ROOT.rglob("*.py") for _, text in raised(path.read_text())}
    assert SAID_BY_A_PART.keys() <= found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("f'{path} is not a folder'", False),
        ("f'{path} is not a folder: choose another one'", True),
        ("f'there is no {kind} {name!r}: the {kind}s are {known}'", True),
        ("'this is of no use'", False),
        ("f'cannot read {path}: {error}'", False),
        ("f'{path}: {found}'", True),
        ("str(error)", True),
    ],
)
def test_the_test_sees_what_lacks_it(text, says):
    assert (lacking(f"raise UsageError({text})") == []) == says
