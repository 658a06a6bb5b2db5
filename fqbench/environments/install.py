"""An empty environment and what is installed into it, by uv where it is there, else by pip."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import Version

from fqbench.environments.environment import python_in
from fqbench.environments.probe import clean_environ
from fqbench.errors import UsageError

Said = Callable[[str], None]
"""Called with each line that an installer prints."""

LISTED = "requirements.txt"
"""The file in an environment that holds the list it was made of."""

PIP_FOR_OTHERS = Version("22.3")
"""The first pip that installs for another Python."""

_LINES = 400
_QUOTED = 3
_LINE_LIMIT = 300

# Ends, with all that it started, when this process does, however that ends: nothing goes on writing
# into what the next one clears away.
_WITH_PARENT = """\
import os, signal, subprocess, sys, threading
def watch():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))
"""

_FULL = re.compile(r"No space left on device|Errno 28|os error 28|Disk quota exceeded", re.I)
_UNREACHED = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|ConnectTimeout"
    r"|Max retries exceeded|Failed to establish a new connection|ProxyError|dns error"
    r"|error sending request|Network is unreachable|Failed to fetch",
    re.I,
)
_ABSENT = re.compile(
    r"No matching distribution found for ([^\s(]+)|Because ([^\s]+) was not found"
    r"|there is no version of ([^\s,]+)"
)


@dataclass(frozen=True)
class Source:
    """Where wheels come from: ``find_links`` too, or with ``offline`` from there alone."""

    find_links: Path | None = None
    offline: bool = False

    def check(self) -> None:
        """Raise UsageError where it cannot be used."""
        if self.offline and self.find_links is None:
            raise UsageError("--offline needs a folder of wheels: name it by --find-links DIR")
        if self.find_links is not None and not self.find_links.is_dir():
            raise UsageError(
                f"--find-links {self.find_links} is not a folder: name a folder of wheels"
            )

    @property
    def options(self) -> list[str]:
        """As uv and pip have them."""
        links = [] if self.find_links is None else ["--find-links", str(self.find_links.absolute())]
        return [*links, *(["--no-index"] if self.offline else [])]


@dataclass(frozen=True)
class Installer:
    """What makes environments: ``uv`` where it is, else pip, and with ``pip`` this Python's."""

    uv: str | None
    pip: bool

    @staticmethod
    def here() -> Installer:
        """What there is on this machine."""
        try:
            pip = Version(version("pip")) >= PIP_FOR_OTHERS
        except PackageNotFoundError:
            pip = False
        return Installer(shutil.which("uv"), pip)

    @property
    def modules(self) -> tuple[str, ...]:
        """What a Python needs to make an environment with."""
        if self.uv is not None:
            return ()
        return ("venv",) if self.pip else ("venv", "ensurepip")

    def create(self, python: Path, folder: Path) -> list[str]:
        """The command that makes an empty environment."""
        if self.uv is not None:
            return [self.uv, "venv", "--no-project", "--python", str(python), str(folder)]
        without = ["--without-pip"] if self.pip else []  # Installing that takes seconds.
        return [str(python), "-I", "-m", "venv", *without, str(folder)]

    def install(self, folder: Path) -> list[str]:
        """The command that installs into it, without what."""
        target = str(python_in(folder))
        if self.uv is not None:
            options = ["--no-progress", "--compile-bytecode"]  # As pip does, for children's starts.
            return [self.uv, "pip", "install", *options, "--python", target]
        # Isolated: this process's packages stay out of it.
        if self.pip:
            pip = [sys.executable, "-I", "-m", "pip", "--python", target]
        else:
            pip = [target, "-I", "-m", "pip"]
        return [*pip, "install", "--no-input", "--progress-bar", "off"]


def install(
    name: str,
    python: Path,
    folder: Path,
    requirements: str,
    source: Source,
    tool: Installer,
    say: Said,
) -> None:
    """Make an environment of ``python``, with ``requirements``, in ``folder``, not there yet.

    Raises UsageError that says what happened to the environment ``name``.
    """
    listed = folder / LISTED
    _run(name, tool.create(python, folder), source, say)
    listed.write_text(requirements, "utf-8")
    wanted = [*source.options, "--requirement", str(listed)]
    _run(name, [*tool.install(folder), *wanted], source, say)


def _run(name: str, command: Sequence[str], source: Source, say: Said) -> None:
    """Run ``command`` to its end. Raises UsageError where it fails."""
    start = [sys.executable, "-I", "-c", _WITH_PARENT]
    lines: deque[str] = deque(maxlen=_LINES)
    environ = {**clean_environ(), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [*start, *command],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in process.stdout or ():
            if line.strip():
                lines.append(_printable(line))
                say(lines[-1])
        code = process.wait()
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()  # Its pipes are closed.
    if code != 0:
        raise UsageError(f"the environment {name} was not made: {_cause(lines, code, source)}")


def _cause(lines: Sequence[str], code: int, source: Source) -> str:
    """Why an installer failed and what to do, from what it printed."""
    text = "\n".join(lines)
    if _FULL.search(text):
        return (
            "the disk is full: free some space, or choose other folders by FQBENCH_ENVIRONMENTS"
            " and TMPDIR"
        )
    if not source.offline and _UNREACHED.search(text):
        return (
            "the package index could not be reached: connect this machine, or name a folder of"
            " wheels by --find-links DIR --offline"
        )
    if match := _ABSENT.search(text):
        absent = next(filter(None, match.groups()))
        place = f"in {source.find_links}" if source.offline else "in the package index"
        return (
            f"there is no {absent} for this Python and machine {place}: name another Python by"
            " --python, or a folder that has it by --find-links"
        )
    errors = [line for line in lines if line.lower().startswith("error")] or list(lines)
    said = " | ".join(line[:_LINE_LIMIT] for line in errors[-_QUOTED:])
    return (
        f"the installer ended with {code}: {said}" if said else f"the installer ended with {code}"
    )


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line).strip()
