"""Commands of git as a test's author."""

from __future__ import annotations

import subprocess
from pathlib import Path

AUTHOR = ("-c", "user.name=n", "-c", "user.email=n@example.org")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *AUTHOR, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
