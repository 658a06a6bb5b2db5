"""What INT8 and FP16 for TensorRT lose against FP32, without a GPU.

    python tools/tensorrt_drop.py --data-root DIR examples/*.yaml

ONNX Runtime executes the networks that engines are built from, on the CPU: the figures are of
their scales and codes, not of TensorRT's kernels. Its CPU has no float16, so FP16 takes long:
``--precisions int8`` leaves it out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store, default_root
from fqbench.cells import Cell
from fqbench.pipeline.model import Model
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs
from fqbench.steps.executor import LocalExecutor

PRECISIONS = ("int8", "int8_all", "fp16")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("specs", type=Path, nargs="+", metavar="SPEC.yaml")
    parser.add_argument("--data-root", type=Path, default=os.environ.get("FQBENCH_DATA"))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    options = parser.parse_args(arguments)
    specs, problems = load_specs(options.specs, options.data_root)
    for problem in problems:
        print(problem.message, file=sys.stderr)
    table = Table("Model", "Images", "FP32", "Precision", "Drop", "95 %", "INT8 layers", "In float")
    for spec in specs:
        pipeline = Model(spec, check_model(spec), LocalExecutor(Store(default_root())))
        pipeline.check(calibrates=True)
        for precision in options.precisions:
            table.add_row(*line(pipeline, precision))
    Console(width=150).print(table)
    return int(bool(problems))


def line(pipeline: Model, precision: str) -> tuple[str, ...]:
    """One row of the table."""
    name = pipeline.spec.name
    cell = Cell(name, "tensorrt", "gpu", precision)  # type: ignore[arg-type]
    fp32, found = pipeline.emulated(Cell(name, "tensorrt", "gpu", "fp32")), pipeline.emulated(cell)
    lost = pipeline.drop(fp32, found)
    layers = kept = ""
    if precision == "int8":
        lowering, choice = pipeline.lowering(cell), pipeline.choice(cell)
        layers = f"{lowering.quantized} of {lowering.convolutions}"
        counted = Counter(choice.float_layers.values())
        kept = "; ".join(f"{count}: {why}" for why, count in counted.items())
    return (
        name,
        str(len(found.predictions)),
        f"{pipeline.accuracy(fp32):.2f}",
        precision,
        f"{lost.value:.2f}",
        f"{lost.low:.2f} to {lost.high:.2f}",
        layers,
        kept,
    )


if __name__ == "__main__":
    sys.exit(main())
