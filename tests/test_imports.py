"""What a child process imports before it does anything: a run starts hundreds of them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LATER = ("onnx", "onnxruntime", "paddle", "requests", "rich", "scipy.linalg", "scipy.special")


@pytest.mark.parametrize(
    "module", ["fqbench.measure.stopwatch", "fqbench.pipeline.steps", "fqbench.steps.child"]
)
def test_a_child_imports_what_it_needs_later(module):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules);"
        f" import {module}; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    imported = done.stdout.split()
    assert module in imported
    assert [name for name in LATER if name in imported] == []


SLOW = ("fqbench.gate.side", "fqbench.pipeline.run", "onnx", "onnxruntime", "scipy.special")
"""What takes as long to import as the rest of a command that only looks something up."""


@pytest.mark.parametrize(
    ("command", "besides"),
    [("history", ("fqbench.backends", "fqbench.zoo", "pydantic")), ("list", ()), ("env", ())],
)
def test_a_command_that_looks_something_up_imports_no_runs(command, besides):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        " from fqbench.cli.main import COMMANDS, _imported, parser_of;"
        f" parser_of([{command!r}]); _imported(COMMANDS[{command!r}].run); print(*sys.modules)"
    )
    process = [sys.executable, "-c", code]
    done = subprocess.run(process, check=True, capture_output=True, text=True, timeout=60)
    assert [name for name in (*SLOW, *besides) if name in done.stdout.split()] == []
