"""What runs a version: this environment, an existing one, or one made for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # What pytest reads its settings with there.

from filelock import FileLock, Timeout

from fqbench.artifacts import file_digest
from fqbench.errors import UsageError
from fqbench.gate.live.worktrees import Checkout
from fqbench.isolate import Interpreter

PIP_S = 3600
PROBE_S = 60
LINES = 3
"""Of a failed command's errors, the last ones, that a message quotes."""

KEPT = 10
"""Environments, the most recently used ones; each may take a gigabyte."""

_EDITABLE = re.compile(r"-[UIqv]*e|--ed")
"""How pip's --editable begins, also after other one-letter options or abbreviated."""

_PROBE = """\
import json, sys
from importlib.util import find_spec
path, first = json.loads(sys.argv[1])
sys.path[:] = [*first, *(sys.path if path is None else path)]
names = "fqbench", "fqbench.gate", "fqbench.gate.side"
print(next((name for name in names if find_spec(name) is None), "nothing"))
"""


def interpreter(
    checkout: Checkout, *, python: Path | None, install: str | None, root: Path
) -> Interpreter:
    """The Python of ``checkout``: ``python``, or one made under ``root`` by pip's ``install``.

    Without either it is this one. There the checkout's own package comes first (``own_modules``),
    and fqbench's own in ``python``, too. Raises UsageError where there is no such Python, or pip
    fails.
    """
    if install is not None:
        return Interpreter(str(_environment(checkout, _arguments(install), root)))
    is_fqbench = _is_fqbench(checkout.folder)
    own: tuple[str, ...] = ()
    if (places := own_modules(checkout.folder)) and (python is None or is_fqbench):
        own = (str(_metadata(checkout.folder)), *map(str, places))
    if python is None:
        return Interpreter.here(*own)
    if not python.is_file():
        raise UsageError(f"there is no Python {python}: name the file of one")
    return Interpreter(str(python.absolute()), first=own)


def own_modules(folder: Path) -> tuple[Path, ...]:
    """Where the sources in ``folder`` have the modules of the package that they are.

    That is fqbench itself, or a package whose ``pyproject.toml`` offers records to fqbench. Empty
    where they are neither, or the modules are not where Python would find them.
    """
    if _is_fqbench(folder):
        return (folder,)
    groups = _project(folder).get("entry-points", {})
    points = [
        value for g, named in groups.items() if g.startswith("fqbench.") for value in named.values()
    ]
    modules = {value.partition(":")[0].strip().partition(".")[0] for value in points}
    places = {module: _place(folder, module) for module in sorted(modules)}
    found = [place for place in places.values() if place is not None]
    return tuple(dict.fromkeys(found)) if len(found) == len(places) else ()


def _is_fqbench(folder: Path) -> bool:
    return (folder / "fqbench/__init__.py").is_file()


def _place(folder: Path, module: str) -> Path | None:
    """The folder that Python would have to look into for a module of a source tree."""
    for place in (folder / "src", folder):
        if (place / module).is_dir() or (place / f"{module}.py").is_file():
            return place
    return None


def _project(folder: Path) -> dict[str, Any]:
    """What ``pyproject.toml`` says of the project. Raises UsageError where it is not readable."""
    file = folder / "pyproject.toml"
    try:
        content = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise UsageError(
            f"pyproject.toml cannot be read: {error}"
            "; correct it in that version, or leave it out of --install"
        ) from error
    project: dict[str, Any] = content.get("project", {})
    return project


def _metadata(folder: Path) -> Path:
    """A folder with the entry points that the source in ``folder`` declares.

    Those of what is installed may name modules that this version does not have, and lack others.
    """
    project = _project(folder)
    name, version = project.get("name", "fqbench"), project.get("version", "0")
    target = folder / ".fqbench-gate"
    described = target / f"{re.sub(r'[-_.]+', '_', name)}-{version}.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    groups = project.get("entry-points", {})
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return target


def check_fqbench(python: Interpreter, title: str) -> None:
    """Raise UsageError where ``python``, which runs ``title``, has no fqbench to build it with."""
    described = json.dumps([python.path, python.first])
    problem = f"the Python of {title} does not run"
    found = _run([python.executable, "-I", "-c", _PROBE, described], None, PROBE_S, problem)
    missing = found.split()[-1] if found.split() else ""
    if missing == "fqbench":
        raise UsageError(
            f"the environment of {title} has no fqbench: name it in --install as well, or a Python"
            " that has it"
        )
    if missing != "nothing":
        raise UsageError(
            f"the fqbench of {title} is older than the gate"
            ": install a newer one there, or name a Python that has it"
        )


def _arguments(install: str) -> list[str]:
    """The words of ``--install``. Raises UsageError where pip would get something else."""
    try:
        words = shlex.split(install)
    except ValueError as error:
        raise UsageError(
            f"--install {install!r} is not usable: {error}; write it as a shell would take it"
        ) from error
    editable = next((word for word in words if _EDITABLE.match(word)), None)
    if editable is not None:
        raise UsageError(
            f"--install {install!r} installs editably, from a folder that is gone afterwards:"
            f" leave {editable} out"
        )
    return words


def _environment(checkout: Checkout, install: list[str], root: Path) -> Path:
    """Python of an environment in which ``pip install`` ran in the checkout; it is made once."""
    key = _key(checkout, install)
    folder, done = root / key, root / f"{key}.done"
    python = folder / "bin" / "python"
    problem = f"the environment of {checkout.label} was not made"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{key}.lock"):
        if not done.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)], checkout.folder, PIP_S, problem)
            command = [str(python), "-m", "pip", "install", "--quiet", *install]
            _run(command, checkout.folder, PIP_S, problem)
            _refuse_editable(folder, problem)
        # Of the clock itself: what touch() takes may be the same for two in a row.
        done.touch()
        now = time.time_ns()
        os.utime(done, ns=(now, now))
    _prune(root)
    return python


def _refuse_editable(folder: Path, problem: str) -> None:
    """Raise UsageError where a requirements file had packages installed editably."""
    for record in folder.glob("lib/*/site-packages/*.dist-info/direct_url.json"):
        if json.loads(record.read_text("utf-8")).get("dir_info", {}).get("editable"):
            raise UsageError(
                f"{problem}: {record.parent.name.partition('-')[0]} was installed editably, from a"
                " folder that is gone afterwards: require it without -e"
            )


def _key(checkout: Checkout, install: list[str]) -> str:
    """A digest of all that decides what pip installs, files outside the commit included."""
    files = [path for word in install if (path := checkout.folder / word).is_file()]
    described = [
        checkout.commit,
        install,
        [file_digest(path) for path in files],
        sys.version,
        os.path.realpath(sys.executable),
    ]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _prune(root: Path) -> None:
    """Remove all environments but the ``KEPT`` most recently used."""
    with FileLock(root / "prune.lock"):
        used = {done: done.stat().st_mtime_ns for done in root.glob("*.done")}
        for done in sorted(used, key=used.__getitem__, reverse=True)[KEPT:]:
            try:
                with FileLock(done.with_suffix(".lock"), timeout=0):
                    if done.stat().st_mtime_ns == used[done]:
                        done.unlink()
                        shutil.rmtree(done.with_suffix(""), ignore_errors=True)
            except Timeout:
                continue  # It is in use.


def _run(command: list[str], folder: Path | None, seconds: float, problem: str) -> str:
    """What ``command`` printed. Raises UsageError, which begins with ``problem``."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{problem}: {error}") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        cause = " | ".join(lines[-LINES:]) or f"it ended with {done.returncode}"
        raise UsageError(f"{problem}: {cause}")
    return done.stdout
