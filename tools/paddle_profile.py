"""How long each operator of a Paddle model takes, as Paddle Inference runs it on this CPU.

    python tools/paddle_profile.py FOLDER {fp32,int8} [--top N]

FOLDER holds model.pdmodel and model.pdiparams: an artifact of fqbench, or a model of your own.
Inputs are of the sizes that the model names, free ones are 1. Prints milliseconds by kind of
operator and of the N slowest, the median over runs: the time from one operator's start, which
Paddle's executor logs, to the next one's, so that what Paddle does around a kernel is part of it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

RUNS = 12
CHILD = "PADDLE_PROFILE_CHILD"
"""Set in the environment of the process that runs the model."""
DROPPED = 2
"""First runs, in which kernels are compiled and weights reordered."""

STARTED = re.compile(
    r"^I\d+ (?P<h>\d+):(?P<m>\d+):(?P<s>[\d.]+).* run Op\((?P<kind>\w+)\), "
    r"inputs:\{(?P<inputs>.*?)\}, outputs:\{(?P<outputs>.*)\}"
)
TENSOR = re.compile(r"(\w+)\[([^\[\]]+)\]\(\{\}\)")
"""Type and sizes of a tensor in the log."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("precision", choices=["fp32", "int8"])
    parser.add_argument("--top", type=int, default=15)
    options = parser.parse_args()
    if CHILD in os.environ:
        run(options.folder, options.precision)
        return 0
    environment = {
        **os.environ,
        CHILD: "1",
        "GLOG_vmodule": "naive_executor=5",
        "GLOG_logtostderr": "1",
        "OMP_NUM_THREADS": "1",
    }
    child = subprocess.run(
        [sys.executable, *sys.argv], env=environment, capture_output=True, text=True, check=False
    )
    started = [match for line in child.stderr.splitlines() if (match := STARTED.match(line))]
    if child.returncode or len(started) % RUNS or not started:
        print(child.stderr[-2000:], file=sys.stderr)
        return 1
    show(started, options.top)
    return 0


def run(folder: Path, precision: str) -> None:
    """Run the model as the backend does, but with Paddle's executor logging."""
    import numpy as np
    import paddle.inference

    from fqbench.backends.paddle.runtime import INT8_OPERATORS
    from fqbench.convert.program import load

    program = load(folder)
    config = paddle.inference.Config(
        *(str(folder / f"model.{x}") for x in ("pdmodel", "pdiparams"))
    )
    config.disable_gpu()
    config.enable_mkldnn()
    config.enable_memory_optim()
    config.set_cpu_math_library_num_threads(1)
    if precision == "int8":
        config.enable_mkldnn_int8(INT8_OPERATORS["int8"])
    predictor = paddle.inference.create_predictor(config)
    random = np.random.default_rng(0)
    for name in program.feeds:
        shape = [max(size, 1) for size in program.block.var(name).shape]
        value = random.normal(size=shape).astype(np.float32)
        predictor.get_input_handle(name).copy_from_cpu(value)
    for _ in range(RUNS):
        predictor.run()


def show(started: list[re.Match[str]], top: int) -> None:
    """Print the times between the starts of operators; the last one of a run has none."""
    count = len(started) // RUNS
    times = [3600 * int(m["h"]) + 60 * int(m["m"]) + float(m["s"]) for m in started]
    spent = [
        1000 * median(times[start + 1] - times[start] for start in starts)
        for starts in (range(DROPPED * count + i, len(times), count) for i in range(count - 1))
    ]
    total = sum(spent)
    print(f"{total:.3f} ms in {count - 1} of {count} operators")
    kinds: dict[str, list[float]] = defaultdict(list)
    for match, milliseconds in zip(started, spent, strict=False):
        kinds[match["kind"]].append(milliseconds)
    for kind, found in sorted(kinds.items(), key=lambda item: -sum(item[1])):
        print(f"{sum(found):9.3f} ms {sum(found) / total:6.1%} {len(found):5} {kind}")
    print()
    last = started[-count:]
    for number in sorted(range(count - 1), key=lambda i: -spent[i])[:top]:
        match = last[number]
        sizes = [
            " ".join(f"{kind}[{size}]" for kind, size in TENSOR.findall(match[side]))
            for side in ("inputs", "outputs")
        ]
        print(f"{spent[number]:9.3f} ms {match['kind']}: {sizes[0]} -> {sizes[1]}")


if __name__ == "__main__":
    sys.exit(main())
