"""FP32 latency of the published models on ONNX Runtime, against the machine and known figures.

    [FQBENCH_DATA=DIR] python tools/reference_latency.py [MODEL ...]

Each model is timed in turns with a float32 matrix product of 2048 x 2048 x 2048, so that what the
machine can do just now is known: the share of it that a model reaches compares between runs where
milliseconds do not. ``known`` is that share for the original project's own export: of YOLOv5s,
where DIR holds models/yolov5s_640.onnx, measured beside it; else from figures taken on one idle
core of a Xeon with AVX512-VNNI: 68 * 10^9 multiply-adds a second; YOLOv5s 6.0 at 640x640 in
125 ms, ResNet50 at 224x224 in 57.5 ms (4.09 * 10^9 multiply-adds).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from fqbench import zoo
from fqbench.artifacts import Store, default_root
from fqbench.cells import Cell
from fqbench.convert.multiply_adds import multiply_adds
from fqbench.measure import stats
from fqbench.measure.latency import TimingBudget, time_interleaved
from fqbench.pipeline.model import Model
from fqbench.pipeline.zoo_models import from_zoo
from fqbench.spec.check import check_model
from fqbench.steps.executor import LocalExecutor

SIDE = 2048
KNOWN = {"yolov5s": 8.22 / 0.125 / 68, "resnet50_vd": 4.09 / 0.0575 / 68}
TOLERANCE = 0.10


def main(names: list[str]) -> int:
    worst = 0.0
    print(f"{'model':24} {'ms':>8} {'10^9 MAC/s':>11} {'matmul':>7} {'share':>6} {'known':>6}")
    for name in names or zoo.published_names():
        graph = canonical(name)
        adds = multiply_adds(onnx.load(str(graph)))
        calls = {"model": session(graph.read_bytes()), "matmul": session(product())}
        original = official(name)
        if original is not None:
            calls["original"] = session(original.read_bytes())
        times = time_interleaved(calls, TimingBudget()).blocks
        medians = {key: stats.latency([blocks]).p50.value for key, blocks in times.items()}
        model, peak = medians["model"], SIDE**3 / medians["matmul"] / 1e6
        speed, known = adds / model / 1e6, KNOWN.get(name)
        if original is not None:
            known = adds / medians["original"] / 1e6 / peak
        print(
            f"{name:24} {model:8.1f} {speed:11.1f} {peak:7.1f} {speed / peak:6.2f}"
            f" {'-' if known is None else f'{known:.2f}':>6}"
        )
        if known is not None:
            worst = max(worst, known / (speed / peak) - 1)
    print(f"slower than known by at most {100 * worst:.1f} %, {100 * TOLERANCE:.0f} % are allowed")
    return int(worst > TOLERANCE)


def official(name: str) -> Path | None:
    """The file of the original project; only YOLOv5s' is among the data for trying."""
    data = os.environ.get("FQBENCH_DATA")
    path = Path(data, "models", f"{name}_640.onnx") if data else None
    return path if path is not None and path.is_file() else None


def canonical(name: str) -> Path:
    executor = LocalExecutor(Store(default_root()))
    spec = from_zoo(name, None, executor)
    pipeline = Model(spec, check_model(spec), executor)
    return pipeline.artifact(Cell(name, "onnxruntime", "cpu", "fp32")).file("model.onnx")


def product() -> bytes:
    """A model that multiplies its input with a matrix."""
    weight = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [SIDE, SIDE]) for name in ("x", "y")
    )
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [x],
        [y],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 13)]
    data: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return data


def session(model: bytes) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    feed = {v.name: rng.random(v.shape, dtype=np.float32) for v in made.get_inputs()}
    return lambda: made.run(None, feed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
