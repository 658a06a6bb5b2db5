"""Versions of a git repository, each checked out into a folder of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import UsageError

GIT_S = 600


@dataclass(frozen=True)
class Checkout:
    """A version of the repository: its files in ``folder``, its commit, what the user called it."""

    folder: Path
    commit: str
    ref: str

    @property
    def label(self) -> str:
        """The version as a reader knows it."""
        short = self.commit[:12]
        return short if self.commit.startswith(self.ref) else f"{self.ref}, {short}"


def repository(folder: Path) -> Path:
    """The root of the repository that holds ``folder``. UsageError where there is none."""
    return Path(_git(folder, "rev-parse", "--show-toplevel", problem=f"{folder} is in no git"))


@contextmanager
def checked_out(root: Path, ref: str) -> Iterator[Checkout]:
    """The files of ``ref``, until the context ends. UsageError where there is no such version."""
    commit = _git(
        root,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
        problem=f"{root} has no version {ref!r}: fetch it first (in a shallow clone: git fetch"
        " --unshallow)",
    )
    # What was killed before it could take its work tree away left git's record of it.
    _tidy(root, "prune")
    scratch = tempfile.TemporaryDirectory(prefix="fqbench-gate-", ignore_cleanup_errors=True)
    folder = Path(scratch.name) / "checkout"
    try:
        # A work tree and no clone: files in Git LFS are there too.
        _git(root, "worktree", "add", "--quiet", "--detach", str(folder), commit)
        yield Checkout(folder, commit, ref)
    finally:
        scratch.cleanup()
        # Twice forced: git locks a work tree while it adds it, and may have been stopped there.
        _tidy(root, "remove", "--force", "--force", str(folder))


def _tidy(root: Path, *arguments: str) -> None:
    """Care for git's record of work trees; what fails there is no reason to lose a verdict."""
    with suppress(UsageError):
        _git(root, "worktree", *arguments)


def _git(folder: Path, *arguments: str, problem: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git {arguments[0]} could not be run: {error}") from error
    if done.returncode != 0:
        told = " ".join(done.stderr.split())
        found = problem or f"git {' '.join(arguments[:2])} failed"
        raise UsageError(f"{found} ({told})" if told else found)
    return done.stdout.strip()
