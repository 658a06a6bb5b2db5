"""The project that docs/tutorial.md starts from: a model's file, images, and what is in them.

    python -m tools.tutorial FOLDER

It is the embedded classifier of digits as a team of its own would have it. FOLDER must not exist.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fqbench.zoo import embedded

NAME = "digits_mobilenet_v1"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tools.tutorial")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder: Path = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        print(f"tutorial: {folder} is there already: name another folder", file=sys.stderr)
        return 2
    embedded.materialize(NAME, folder)
    shutil.copy(embedded.spec(NAME, folder).model, folder / "model.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main())
