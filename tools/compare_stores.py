"""Whether two versions make the same artifacts, byte for byte: their stores compared.

    FQBENCH_CACHE=before fqbench run ...  # by one version
    FQBENCH_CACHE=after fqbench run ...  # by another
    python tools/compare_stores.py before after

Keys say what went in, so those of different versions differ; contents are compared, step by step.
What is timed or records time is left out, and of Paddle's programs the place in the source that
each operator was written at. Each line: a kind of file, how many different ones the
first store holds, and how many of these the second has, too. Ends with 1 where it lacks one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

KEPT = {
    "canonical": ("model.onnx",),
    "paddle_program": ("model.pdmodel", "model.pdiparams"),
    "calibrate": ("quantization.json",),
    "lower_onnxruntime": ("model.onnx",),
    "lower_paddle": ("model.pdmodel", "model.pdiparams"),
    "lower_tensorrt": ("model.onnx",),
    "half": ("model.onnx",),
    "predict": ("predictions.npz",),
}
"""Files of steps that follow from their inputs alone."""

WRITTEN_AT = "op_callstack"
"""The attribute of Paddle's operators that holds files and lines of Python code."""

Digests = dict[tuple[str, str], set[str]]
"""SHA-256 of contents, by the step and the file's name."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    before, after = digests(options.before), digests(options.after)
    table = Table("Step", "File", "Before", "Of these after", "New after")
    missing = 0
    for key, known in sorted(before.items()):
        shared = known & after[key]
        missing += len(known) - len(shared)
        table.add_row(*key, *map(str, (len(known), len(shared), len(after[key] - known))))
    Console().print(table)
    return int(missing > 0)


def digests(store: Path) -> Digests:
    """What a store holds."""
    found: Digests = defaultdict(set)
    for step, names in KEPT.items():
        for manifest in store.glob(f"{step}/*/manifest.json"):
            files = json.loads(manifest.read_text())["files"]
            for name in names:
                if name.endswith(".pdmodel"):
                    found[step, name].add(program_digest(manifest.with_name(name)))
                elif name in files:
                    found[step, name].add(files[name]["sha256"])
    return found


def program_digest(path: Path) -> str:
    """SHA-256 of the operators of a Paddle program, with all that they read and write."""
    from paddle.base.framework import core

    program = core.ProgramDesc(path.read_bytes())  # It must live as long as its block.
    block = program.block(0)
    text = [
        (
            op.type(),
            {name: op.input(name) for name in op.input_names()},
            {name: op.output(name) for name in op.output_names()},
            {name: str(op.attr(name)) for name in op.attr_names() if name != WRITTEN_AT},
        )
        for op in map(block.op, range(block.op_size()))
    ]
    return hashlib.sha256(repr(text).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
