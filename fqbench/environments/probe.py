"""What another Python is, and what is installed for it: asked of a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from fqbench.errors import UsageError

PROBE_S = 60
IMPORT_S = 300

_VERSIONS = """\
import json, re, sys
from importlib.metadata import distributions
found = {}
for each in distributions():
    name = each.metadata["Name"]
    if name:
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), each.version)
print(json.dumps({**found, "python": "%d.%d.%d" % sys.version_info[:3]}))
"""

_VERSION = """\
import sys
for name in sys.argv[1:]:
    __import__(name)
print("%d.%d.%d" % sys.version_info[:3])
"""

_IMPORT = """\
import importlib, sys
from importlib.metadata import distribution
found = distribution(sys.argv[1])
names = (found.read_text("top_level.txt") or "").split() or sorted(
    {path.parts[0].partition(".")[0] for path in found.files or () if path.suffix == ".py"}
)
names = [name for name in names if name.isidentifier() and not name.startswith("_")]
if not names:
    sys.exit("it has no module")
for name in names:
    importlib.import_module(name)
"""


def clean_environ() -> dict[str, str]:
    """This process's environment without what would let its packages into another Python's."""
    refused = (
        "PYTHON",
        "VIRTUAL_ENV",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(refused)}


def versions_of(python: Path) -> dict[str, str]:
    """Versions of ``python`` and, by normalized name, of each distribution installed for it.

    Raises UsageError where it does not run.
    """
    try:
        found: dict[str, str] = json.loads(_output(python, _VERSIONS, (), PROBE_S))
    except ValueError as error:
        raise UsageError(f"{python} is not a Python: it does not run as one") from error
    return found


def version_of(python: Path, *modules: str) -> str:
    """Version of ``python``, such as 3.11.7.

    Raises UsageError where it does not run or lacks one of ``modules``.
    """
    found = _output(python, _VERSION, modules, PROBE_S)
    if not re.fullmatch(r"\d+\.\d+\.\d+", found):
        raise UsageError(f"{python} is not a Python: it does not run as one")
    return found


def import_distribution(python: Path, distribution: str) -> None:
    """Import the modules of ``distribution`` in ``python``. Raises UsageError where that fails."""
    _output(python, _IMPORT, (distribution,), IMPORT_S)


def _output(python: Path, script: str, arguments: tuple[str, ...], seconds: float) -> str:
    """The last line that ``script`` prints, empty where it prints nothing."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", script, *arguments],
            env=clean_environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        raise UsageError(f"{python} does not run: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{python} did not answer within {seconds:g} s") from error
    if done.returncode == 0:
        return next(reversed(done.stdout.strip().splitlines()), "")
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    cause = said[-1] if said else f"it ended with {_code(done.returncode)}"
    raise UsageError(f"{python} failed: {cause}")


def _code(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return f"signal {-code}"
