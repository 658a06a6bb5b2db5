"""Print the FP32 accuracy and latency of an embedded model's ONNX file.

    python tools/evaluate_embedded.py digits_yolov5 fqbench/zoo/weights/digits_yolov5.onnx

A program of its own, because pycocotools and Paddle must not share a process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from fqbench import zoo
from fqbench.data import open_dataset
from fqbench.measure.accuracy import accuracy
from fqbench.measure.prediction import Prediction
from fqbench.tasks.decoding import decoder
from fqbench.tasks.registry import tasks
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import prepare


def evaluate(name: str, file: Path, data_dir: Path) -> str:
    """Run ``file`` on all evaluation images of model ``name`` on one thread."""
    zoo.materialize(name, data_dir)
    spec = zoo.spec(name, data_dir)
    data = open_dataset(spec.dataset)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    decode = decoder(spec.decode, spec.preprocess.resize.output)
    predictions, seconds = [], []
    for sample in data.samples:
        prepared = prepare(read_image(sample.path), spec.preprocess)
        begin = time.perf_counter()
        outputs = session.run(None, {entry.name: prepared.tensor})
        seconds.append(time.perf_counter() - begin)
        predictions.append(Prediction(sample.image_id, decode(outputs, prepared.geometry)))
    points = accuracy(tasks()[spec.task], data, predictions)
    return (
        f"{name}: {spec.metric} {points:.2f} on {len(predictions)} images,"
        f" median {np.median(seconds) * 1e3:.2f} ms"
    )


def main() -> None:
    """Evaluate one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=zoo.embedded_names())
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(evaluate(arguments.name, arguments.file, Path(folder)))


if __name__ == "__main__":
    main()
