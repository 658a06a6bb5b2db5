"""Models of one operator through canonicalization and each conversion: who agrees.

    python -m tools.node_tests --backends paddle --verbose

They are ONNX's own node tests, and others whose shapes and attributes are drawn from seeds. Of each
backend: how many agree with ONNX's reference (or with ONNX Runtime, where these two differ), how
many are refused in a sentence, how many end their process, and how many differ without a word, of
which there should be none. Ends with code 1 where one does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fqbench.backends import backends
from fqbench.cells import Cell
from tools.node_tests.cases import cases
from tools.node_tests.converting import AGREES, DIFFERS, REFUSED
from tools.node_tests.generated import EACH, generated

CRASHED = "ends the process"
KINDS = (AGREES, REFUSED, CRASHED, DIFFERS)

CASE_S = 30.0
"""Seconds for each case; of those that a process was given, all together."""
AT_ONCE = 100

QUIET = {"OMP_NUM_THREADS": "1", "GLOG_minloglevel": "3", "PYTHONWARNINGS": "ignore"}

Found = dict[str, tuple[str, str]]
"""By case: what became of it, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=on_cpu())
    parser.add_argument("--only", help="cases whose names hold this")
    parser.add_argument(
        "--each", type=int, default=EACH, help="drawn ones of each operator (default: %(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="list what does not agree")
    options = parser.parse_args(arguments)
    table, differ = Table("Tests", "Backend", *KINDS), 0
    for title, made in (("ONNX's", cases()), ("drawn", generated(options.each))):
        names = [case.name for case in made if (options.only or "") in case.name]
        for backend in options.backends if names else ():
            found = taken_through(backend, names)
            counts = Counter(kind for kind, _ in found.values())
            differ += counts[DIFFERS]
            table.add_row(title, backend, *(str(counts[kind]) for kind in KINDS))
            for name, (kind, text) in found.items():
                if kind == DIFFERS or (options.verbose and kind != AGREES):
                    print(f"{backend}: {name} {kind}: {text}")
    Console().print(table)
    return 1 if differ else 0


def on_cpu() -> list[str]:
    """The backends that run float32 models on this CPU."""
    return [name for name in backends() if Cell("any", name, "cpu", "fp32").unsupported is None]


def taken_through(backend: str, names: Sequence[str]) -> Found:
    """What becomes of the cases ``names`` on ``backend``."""
    found: Found = {}
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        results.touch()
        while rest := [name for name in names if name not in found]:
            some = rest[:AT_ONCE]
            _process(backend, some, results)
            read = _read(results)
            if not read.keys() - found.keys():
                raise RuntimeError(f"no case was started on {backend}")
            found.update(read)
    return found


def _process(backend: str, names: Sequence[str], results: Path) -> None:
    request = {"backend": backend, "names": list(names), "results": str(results)}
    try:
        subprocess.run(
            [sys.executable, "-m", "tools.node_tests.converting"],
            input=json.dumps(request),
            text=True,
            env={**os.environ, **QUIET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CASE_S * len(names),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return


def _read(results: Path) -> Found:
    found: Found = {}
    for line in map(json.loads, results.read_text().splitlines()):
        found[line["name"]] = (line.get("found", CRASHED), line.get("text", ""))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
