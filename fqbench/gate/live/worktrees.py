"""Versions of a git repository, each checked out into a folder of its own, and paths in them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
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
        """How messages name the version."""
        short = self.commit[:12]
        return short if self.commit.startswith(self.ref) else f"{self.ref}, {short}"


def repository(folder: Path) -> Path:
    """The root of the repository that holds ``folder``. UsageError where there is none."""
    return Path(_git(folder, "rev-parse", "--show-toplevel", problem=f"{folder} is in no git"))


@dataclass(frozen=True)
class PathMapping:
    """A path in each version, in their order. ``shared``: it is the working tree's in all."""

    sides: tuple[Path, ...]
    shared: bool = False


@contextmanager
def checked_out(root: Path, ref: str) -> Iterator[Checkout]:
    """The files of ``ref``, until the context ends. UsageError where there is no such version."""
    commit = _git(
        root,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
        problem=f"{root} has no version {ref!r}: fetch it first (in a shallow clone: git fetch"
        " --unshallow)",
    )
    # A process that was killed before it removed its work tree left git's record of it.
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


def map_path(path: Path, root: Path, checkouts: Sequence[Checkout]) -> PathMapping:
    """Where ``path`` is in each of ``checkouts``, versions of the repository at ``root``.

    What is inside the repository is each version's own, or the working tree's where no version has
    it, such as files that git ignores. What is outside is the same for all. Raises UsageError where
    there is nothing in any of these.
    """
    inside = _inside(path, root)
    if inside is None:
        return PathMapping(_existing(path.absolute(), path) * len(checkouts))
    sides = tuple(each.folder / inside for each in checkouts)
    if any(each.exists() for each in sides):
        return PathMapping(sides)
    return PathMapping(_existing(root / inside, path) * len(checkouts), shared=True)


def _existing(where: Path, path: Path) -> tuple[Path]:
    if not where.exists():
        raise UsageError(f"there is no {path}: correct the path, or choose versions that have it")
    return (where,)


def _inside(path: Path, root: Path) -> Path | None:
    """``path`` relative to the root; None where it is outside.

    A path that is inside as it is written stays so: a link on the way is each version's own.
    """
    written = path.resolve() if ".." in path.parts else path.absolute()
    for found in (written, path.resolve()):
        if found.is_relative_to(root):
            return found.relative_to(root)
    return None


def _tidy(root: Path, *arguments: str) -> None:
    """Clean up git's record of work trees; a failure there is no reason to lose a verdict."""
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
        raise UsageError(
            f"git {arguments[0]} could not be run: {error}"
            "; install git, or see whether this is a repository"
        ) from error
    if done.returncode != 0:
        output = " ".join(done.stderr.split())
        found = problem or f"git {' '.join(arguments[:2])} failed"
        raise UsageError(f"{found} ({output})" if output else found)
    return done.stdout.strip()
