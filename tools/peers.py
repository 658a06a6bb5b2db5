"""INT8 latency of fqbench beside its peers, on the same model, images and threads.

    python tools/peers.py [--spec FILE ...] [--models NAME ...] [--data-root DIR]

Peers: OpenVINO with NNCF (its default preset), and onnxruntime.quantization with its own
defaults, both calibrated on the spec's calibration images. All are timed in turns in one process,
one thread each, batch 1. Needs the extra ``peers``. Ends with 1 where fqbench is slower than a
peer by more than the noise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from fqbench.artifacts import Store, default_root
from fqbench.backends.onnxruntime import open_session, session_options
from fqbench.cells import Cell
from fqbench.measure import stats
from fqbench.measure.latency import Effort, time_interleaved
from fqbench.pipeline.model import ModelPipeline
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs
from fqbench.vision.preprocess import prepare as preprocessed

Feed = list[np.ndarray[Any, Any]]
NOISE = 1.03
COLUMNS = ("fp32", "fqbench", "onnxruntime.quantization", "OpenVINO FP32", "OpenVINO + NNCF")
OWN = "fqbench"
PEERS = ("onnxruntime.quantization", "OpenVINO + NNCF")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    store = Store(default_root())
    specs, problems = find_specs(
        options.spec, options.models, options.data_root, store, lambda *_: None
    )
    ready = prepare(specs, store, lambda *_: None)
    for problem in (*problems, *ready.problems):
        print(problem, file=sys.stderr)
    table = Table("model", *(f"{name} ms" for name in COLUMNS), "made in s", "slower than a peer")
    behind = 0
    for pipeline in ready.pipelines:
        medians, seconds = compared(pipeline)
        slower = [name for name in PEERS if medians[OWN] > NOISE * medians[name]]
        behind += bool(slower)
        made = ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())
        figures = (f"{medians[name]:.2f}" for name in COLUMNS)
        told = ", ".join(f"{name}: {medians[OWN] / medians[name]:.2f} x" for name in slower)
        table.add_row(pipeline.spec.name, *figures, made, told or "no")
    Console(width=180).print(table)
    return int(bool(behind or problems or ready.problems))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spec", type=Path, nargs="+", default=[])
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--data-root", type=Path)
    return parser.parse_args(arguments)


def compared(pipeline: ModelPipeline) -> tuple[dict[str, float], dict[str, float]]:
    """Median milliseconds of each form of a model, and the seconds it took to make INT8."""
    name = pipeline.spec.name
    fp32, int8 = (
        pipeline.build.artifact(Cell(name, "onnxruntime", "cpu", p)).file("model.onnx")
        for p in ("fp32", "int8")
    )
    feeds = [fed(pipeline, path) for path in pipeline.images.calibration]
    start = time.perf_counter()
    rival = default_int8(fp32, feeds)
    middle = time.perf_counter()
    float_model, int8_model = openvino_models(fp32, feeds)
    end = time.perf_counter()
    calls = {
        "fp32": on_onnxruntime(fp32.read_bytes(), feeds[0]),
        OWN: on_onnxruntime(int8.read_bytes(), feeds[0]),
        PEERS[0]: on_onnxruntime(rival, feeds[0]),
        "OpenVINO FP32": on_openvino(float_model, feeds[0]),
        PEERS[1]: on_openvino(int8_model, feeds[0]),
    }
    blocks = time_interleaved(calls, Effort()).blocks
    medians = {key: stats.latency([found]).p50.value for key, found in blocks.items()}
    made = {OWN: pipeline.build.quantization(Cell(name, "onnxruntime", "cpu", "int8")).seconds}
    return medians, {**made, PEERS[0]: middle - start, PEERS[1]: end - middle}


def fed(pipeline: ModelPipeline, path: Path) -> Feed:
    spec = pipeline.spec
    prepared = preprocessed(read_image(path), spec.preprocess)
    return list(model_inputs(prepared, pipeline.inputs))


def on_onnxruntime(model: bytes, feed: Feed) -> Callable[[], object]:
    session = open_session(model, session_options(1))
    given = {value.name: x for value, x in zip(session.get_inputs(), feed, strict=True)}
    return lambda: session.run(None, given)


def default_int8(model: Path, feeds: Sequence[Feed]) -> bytes:
    """What ``quantize_static`` makes by itself, after the preparation that its guide asks for."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [value.name for value in onnx.load(str(model)).graph.input]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else dict(zip(names, feed, strict=True))

    with tempfile.TemporaryDirectory() as folder:
        ready, made = (str(Path(folder) / name) for name in ("ready.onnx", "int8.onnx"))
        quant_pre_process(str(model), ready, skip_symbolic_shape=True)
        quantize_static(ready, made, Reader())
        return Path(made).read_bytes()


def openvino_models(model: Path, feeds: Sequence[Feed]) -> tuple[Any, Any]:
    """The model in FP32, and as NNCF quantizes it by default."""
    import nncf
    import openvino

    nncf.set_log_level("ERROR")
    core = openvino.Core()
    read = core.read_model(str(model))
    data = nncf.Dataset(feeds, lambda feed: feed)
    quantized = nncf.quantize(read, data, subset_size=len(feeds))
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    return tuple(
        core.compile_model(m, "CPU", settings) for m in (core.read_model(str(model)), quantized)
    )


def on_openvino(model: Any, feed: Feed) -> Callable[[], object]:
    request = model.create_infer_request()
    return lambda: request.infer(feed)


if __name__ == "__main__":
    sys.exit(main())
