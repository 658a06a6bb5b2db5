"""The table of all methods and runtimes, from finished runs, written into the README.

    fqbench run --spec examples/*.yaml --methods offline,nncf,nncf_advised,ort_static,ort_advised \\
        --backends onnxruntime openvino paddle --devices cpu --out runs/examples
    python -m tools.front_page runs/examples [RUN_DIR ...]

Run it in the repository's root. It prints the table, and rewrites the blocks between the markers of
``README.md`` and ``docs/methods-table.md``. Of a cell that several runs have, the last one counts.
Ends with 2 where a run or a file is not usable.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fqbench.errors import UsageError
from tools.front_page import page
from tools.front_page.runs import joined, read_run


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tools.front_page", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR")
    try:
        found = joined([read_run(path) for path in parser.parse_args(arguments).runs])
        front = page.front_page(found)
        page.rewrite(Path(page.FRONT), front)
        page.rewrite(Path(page.LONGER), page.longer_page(found))
    except UsageError as error:
        print(f"front_page: {error}", file=sys.stderr)
        return 2
    print(front)
    return 0


if __name__ == "__main__":
    sys.exit(main())
