"""fqbench's INT8 beside that of its peers: time, accuracy, size, and the time to make it.

    python -m tools.peers [--spec FILE ...] [--models NAME ...] [--data-root DIR] [--json FILE]

Run it in the repository's root; it needs the extra ``toolkits``. fqbench's own INT8 runs on ONNX
Runtime, Paddle Inference and OpenVINO. Peers are OpenVINO with NNCF
(its default and its mixed preset) and onnxruntime.quantization (its defaults, and what its guide
advises for x86), calibrated on the spec's calibration images. All are timed in turns on one core
and evaluated on the same images, with the same preprocessing and decoder. Ends with 1 where a peer
is both faster and more accurate than fqbench on every runtime, or where fqbench failed, and with 2
where an option, a spec or a file is not usable.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console

from fqbench import machine
from fqbench.artifacts import Store, default_root
from fqbench.backends.base import missing
from fqbench.errors import FqbenchError, UsageError
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.steps.executor import LocalExecutor
from tools.peers.measure import measure
from tools.peers.report import ModelReport
from tools.peers.table import LEGEND, described, table

LIBRARIES = ("nncf", "openvino")
WIDTH = 210


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        return compared(options)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tools.peers", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--spec", type=Path, nargs="+", default=[])
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures into FILE")
    return parser.parse_args(arguments)


def compared(options: argparse.Namespace) -> int:
    for library in LIBRARIES:
        if reason := missing(library, module=library, install="fqbench[toolkits]"):
            raise UsageError(reason)
    executor = LocalExecutor(Store(default_root()))
    specs, problems = find_specs(options.spec, options.models, options.data_root, executor)
    ready = prepare(specs, executor)
    problems = (*problems, *ready.problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    console, reports, failed = Console(width=WIDTH), [], False
    for pipeline in ready.models:
        print(f"measuring {pipeline.spec.name}", file=sys.stderr)
        try:
            report = measure(pipeline)
        except FqbenchError as error:
            print(f"{pipeline.spec.name}: {error}", file=sys.stderr)
            failed = True
            continue
        reports.append(report)
        console.print(table(report))
        for row in report.rows:
            if row.reason is not None:
                print(f"{report.model}: {row.form.name}: {row.reason}", file=sys.stderr)
    console.print(LEGEND)
    if options.json is not None:
        write(options.json, reports)
    if problems:
        return 2
    return int(failed or any(report.ahead or report.failed for report in reports))


def write(path: Path, reports: Sequence[ModelReport]) -> None:
    """Write all figures, and what they were measured on. Raises UsageError where that fails."""
    versions = {library: metadata.version(library) for library in LIBRARIES}
    found = {
        "machine": {**machine.describe(1), "peers": versions},
        "models": [described(report) for report in reports],
    }
    try:
        path.write_text(json.dumps(found, indent=1, allow_nan=False))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


if __name__ == "__main__":
    sys.exit(main())
