"""What runs a version: this environment, one that is there, or one made for it."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from fqbench.errors import UsageError
from fqbench.gate.refs import Checkout
from fqbench.isolate import Interpreter

PIP_S = 3600
LINES = 3


def interpreter(
    checkout: Checkout, *, python: Path | None, install: str | None, root: Path
) -> Interpreter:
    """The Python of ``checkout``: ``python``, or one made under ``root`` by pip's ``install``.

    Without either it is this one. Where the checkout is fqbench itself and nothing was installed
    from it, its own package comes first. Raises UsageError where there is no such Python, or pip
    fails.
    """
    own = (str(checkout.folder),) if (checkout.folder / "fqbench/__init__.py").is_file() else ()
    if install is not None:
        return Interpreter(str(_made(checkout, install, root)))
    if python is None:
        return Interpreter.here(*own)
    if not python.is_file():
        raise UsageError(f"there is no Python {python}")
    return Interpreter(str(python.absolute()), first=own)


def _made(checkout: Checkout, install: str, root: Path) -> Path:
    """Python of an environment in which ``pip install`` ran in the checkout; made once."""
    described = [checkout.commit, shlex.split(install), sys.version]
    key = hashlib.sha256(json.dumps(described).encode()).hexdigest()
    folder, done = root / key, root / f"{key}.done"
    python = folder / "bin" / "python"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{key}.lock"):
        if not done.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)], checkout)
            _run([str(python), "-m", "pip", "install", "--quiet", *shlex.split(install)], checkout)
            done.touch()
    return python


def _run(command: list[str], checkout: Checkout) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=checkout.folder,
            capture_output=True,
            text=True,
            timeout=PIP_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"the environment of {checkout.label} was not made: {error}") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise UsageError(
            f"the environment of {checkout.label} was not made: {' | '.join(lines[-LINES:])}"
        )
