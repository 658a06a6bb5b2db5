"""FP32 accuracy of the example models on all their images, beside the known figures.

    FQBENCH_DATA=DIR python tools/reference_accuracy.py

Preprocessing, decoding and scoring are right where each backend comes within 0.3 points.
Exits with 1 where one does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fqbench.artifacts import Store, default_root
from fqbench.cells import Cell
from fqbench.pipeline.model import Model
from fqbench.spec import ModelSpec
from fqbench.spec.check import check_model
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor

EXAMPLES = Path(__file__).parents[1] / "examples"
# Found with OpenCV and code of its own. The YOLO figures are of boxes that were not cut at the
# image's border; YOLOv5's own evaluation cuts them, and so does fqbench: 44.96.
KNOWN = {
    "yolov5s": 44.78,
    "yolox_nano": 33.76,
    "efficientnet_lite0": 82.25,
    "squeezenet1_1": 69.88,
    "shufflenet_v2": 77.75,
}
TOLERANCE = 0.3


def on_all_images(spec: ModelSpec) -> ModelSpec:
    """``spec`` with no image set apart for calibration: FP32 needs none."""
    return spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"start": 0})})


def main() -> int:
    root = os.environ.get("FQBENCH_DATA")
    if root is None:
        print("FQBENCH_DATA names no folder of data", file=sys.stderr)
        return 2
    store, wrong = Store(default_root()), 0
    for name, known in KNOWN.items():
        spec = on_all_images(load_spec(EXAMPLES / f"{name}.yaml", Path(root)))
        pipeline = Model(spec, check_model(spec), LocalExecutor(store))
        for backend in ("onnxruntime", "paddle"):
            answers = pipeline.answers(Cell(name, backend, "cpu", "fp32"))
            found = pipeline.accuracy(answers)
            fits = abs(found - known) <= TOLERANCE
            wrong += not fits
            print(
                f"{name:20} {backend:12} {found:6.2f} known {known:6.2f} on"
                f" {len(answers.predictions)} images {'ok' if fits else 'DIFFERS'}",
                flush=True,
            )
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
