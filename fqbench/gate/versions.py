"""Two versions of a repository, compared: checked out, built, timed and judged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fqbench import isolate
from fqbench.errors import StepError, UsageError
from fqbench.gate.account import Account
from fqbench.gate.built import Built, read_built
from fqbench.gate.contest import BASE, HEAD, Terms, compete
from fqbench.gate.environment import interpreter
from fqbench.gate.refs import Checkout, checked_out, repository
from fqbench.gate.side import Matrix
from fqbench.machine import memory_mb

BUILD_S = 6 * 3600.0
TOO_OLD = "No module named 'fqbench.gate"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Version:
    """A side: a git ref, and what it runs in; see ``environment.interpreter``."""

    ref: str
    python: Path | None = None


def compare_versions(
    base: Version,
    head: Version,
    matrix: Matrix,
    terms: Terms,
    *,
    install: str | None,
    cache: Path,
    progress: Progress,
) -> Account:
    """Compare two versions of the repository of the working folder.

    ``cache``: where environments and artifacts are kept. Raises UsageError where a version or its
    environment cannot be had, StepError where one cannot be built.
    """
    root = repository(Path.cwd())
    with ExitStack() as stack:
        checkouts = [stack.enter_context(checked_out(root, each.ref)) for each in (base, head)]
        built = []
        for name, version, checkout in zip((BASE, HEAD), (base, head), checkouts, strict=True):
            progress(f"{name.upper()}: environment", 0, 0)
            python = interpreter(
                checkout, python=version.python, install=install, root=cache / "environments"
            )
            built.append(_built(name, checkout, python, matrix, terms, cache, root, progress))
        return compete(built[0], built[1], terms, progress)


def _built(
    name: str,
    checkout: Checkout,
    python: isolate.Interpreter,
    matrix: Matrix,
    terms: Terms,
    cache: Path,
    root: Path,
    progress: Progress,
) -> Built:
    arguments = matrix.arguments(
        name, cache / "artifacts", terms.threads, lambda path: _within(checkout, root, path)
    )
    title = f"{name.upper()} ({checkout.label})"
    try:
        answer = isolate.call(
            "fqbench.gate.side:build",
            arguments,
            timeout_s=BUILD_S,
            memory_mb=memory_mb(),
            on_progress=lambda done, total, told="": progress(
                f"{name.upper()}: {told}", done, total
            ),
            name=f"building {title}",
            interpreter=python,
        )
    except StepError as error:
        if TOO_OLD in str(error):
            raise UsageError(f"the fqbench of {title} is older than the gate") from error
        raise
    return read_built(checkout.label, answer, python)


def _within(checkout: Checkout, root: Path, path: Path) -> Path:
    """Where a path of the working tree is in the checkout; elsewhere it is the same for both."""
    absolute = path.absolute()
    if absolute.is_relative_to(root):
        return checkout.folder / absolute.relative_to(root)
    return absolute
