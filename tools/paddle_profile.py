"""How long each operator of a Paddle model takes, as Paddle Inference runs it on this CPU.

    python tools/paddle_profile.py FOLDER {fp32,int8} [--top N]

FOLDER holds model.pdmodel and model.pdiparams: an artifact of fqbench, or a model of your own.
Inputs are of the sizes that the model names, free ones are 1. Prints milliseconds by kind of
operator and of the N slowest, in the fastest run: the time from one operator's start, which
Paddle's executor logs, to the next one's, so that what Paddle does around a kernel is part of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fqbench.backends.paddle.profile import LOGGING, Operator, time_operators
from fqbench.errors import FqbenchError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("precision", choices=["fp32", "int8"])
    parser.add_argument("--top", type=int, default=15)
    options = parser.parse_args()
    os.environ.update(LOGGING)  # Before Paddle is imported.
    try:
        found = time_operators(
            options.folder, random_feed(options.folder), options.precision, threads=1
        )
    except FqbenchError as error:
        print(error, file=sys.stderr)
        return 1
    show(found, options.top)
    return 0


def random_feed(folder: Path) -> list[Any]:
    """Random values of the sizes that the model in ``folder`` names."""
    import numpy as np

    from fqbench.convert.program import load

    program, random = load(folder), np.random.default_rng(0)
    shapes = [[max(size, 1) for size in program.block.var(name).shape] for name in program.feeds]
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def show(found: Sequence[Operator], top: int) -> None:
    """Print the times by kind, and of the slowest operators."""
    total = sum(each.ms for each in found)
    print(f"{total:.3f} ms in {len(found)} operators, without the last one")
    kinds: dict[str, list[float]] = defaultdict(list)
    for each in found:
        kinds[each.kind].append(each.ms)
    for kind, times in sorted(kinds.items(), key=lambda item: -sum(item[1])):
        print(f"{sum(times):9.3f} ms {sum(times) / total:6.1%} {len(times):5} {kind}")
    print()
    for each in sorted(found, key=lambda each: -each.ms)[:top]:
        read, written = (
            " ".join(f"{kind}[{size}]" for kind, size in side) for side in (each.reads, each.writes)
        )
        print(f"{each.ms:9.3f} ms {each.kind}: {read} -> {written}")


if __name__ == "__main__":
    sys.exit(main())
