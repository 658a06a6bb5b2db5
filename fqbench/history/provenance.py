"""Which code a run was of: the git repository of the working folder, and its commit."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

GIT_S = 20
"""Seconds: without an answer by then, the commit counts as unknown."""


@dataclass(frozen=True)
class Provenance:
    """Whose models were measured. ``project``: what tells cells of the same name apart.

    That is where the repository comes from, else its folder, else nothing. ``revision``: the
    commit; ``dirty``: whether tracked files differ from it. None: unknown.
    """

    project: str = ""
    revision: str | None = None
    dirty: bool | None = None


def provenance(folder: Path) -> Provenance:
    """Of ``folder``; all is unknown where it is in no git repository or there is no git."""
    root = _git(folder, "rev-parse", "--show-toplevel")
    if not root:
        return Provenance()
    origin = _git(folder, "config", "--get", "remote.origin.url")
    revision = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Provenance(
        without_password(origin) if origin else root,
        revision or None,
        None if changed is None else bool(changed),
    )


def without_password(url: str) -> str:
    """``url`` without the name and password that it may hold.

    >>> without_password("https://me:secret@host/models.git")
    'https://host/models.git'
    >>> without_password("git@host:models.git")
    'git@host:models.git'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it fails."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=GIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
