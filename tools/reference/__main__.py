"""Write the pages of ``docs/reference``, or with ``--check`` look whether they are up to date.

    python -m tools.reference [--check]

Run it in the repository's root.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.reference import commands, spec_keys, variables

FOLDER = Path("docs/reference")
PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "spec-keys.md": spec_keys.page,
    "variables.md": variables.page,
}


def stale(folder: Path) -> list[str]:
    """Names of the pages that are not what the code says."""
    return [
        name
        for name, page in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text() != page()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tools.reference")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    names = stale(FOLDER)
    if options.check:
        for name in names:
            print(f"{FOLDER / name} is not up to date: run python -m tools.reference")
        return 1 if names else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        (FOLDER / name).write_text(PAGES[name]())
        print(f"Written: {FOLDER / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
