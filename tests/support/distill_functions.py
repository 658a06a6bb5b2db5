"""What test_distill.py runs in a child process: trainings of a few seconds."""

from pathlib import Path

import numpy as np
import onnx

from fqbench.methods.distillation.distill import DistillationTask, distill
from fqbench.quantize.record import Quantization
from fqbench.spec.quantization import Distillation
from fqbench.tasks.detection.settings import YoloX
from fqbench.tasks.shared import Undecoded
from fqbench.tune.choice import Choice


class StoppedError(Exception):
    """Stands for what ends a process."""


class Discontent:
    """An estimator to which each model is worse than the one before."""

    names = ()

    def __init__(self):
        self.told = 0

    def error(self, executable, images=None):
        self.told += 1
        return self.told / 100


def train_all(arguments, report):
    """Train once for each of ``trainings``; what came out, and each student's file."""
    import paddle

    folder = Path(arguments["folder"])
    found = {}
    for name, asked in arguments["trainings"].items():
        # As in a process of its own.
        with (
            paddle.utils.unique_name.guard(),
            paddle.static.scope_guard(paddle.static.Scope()),
            paddle.static.program_guard(paddle.static.Program(), paddle.static.Program()),
        ):
            found[name] = train(folder, name, asked)
    return found


def train(folder, name, asked):
    model = onnx.load(str(folder / f"{asked['model']}.onnx"))
    record = Quantization.read(folder / f"{asked['model']}.json")
    choice = Choice(asked["float_layers"], asked["float_silu"], (), 0.0, 0.0, (), {})
    settings = Distillation.model_validate(asked["settings"])
    decode = YoloX(kind="yolox") if asked["model"] == "rows" else Undecoded(kind="none")
    estimator = Discontent() if asked.get("discontent") else None
    task = DistillationTask(
        asked["backend"], model, record, choice, settings, "mAP", decode, estimator
    )
    images = np.load(folder / f"{asked['model']}.npy")
    scratch = folder / asked.get("scratch", name)
    scratch.mkdir(exist_ok=True)
    told = []

    def tell(done, total, text=""):
        told.append([done, total, text])
        if done == asked.get("stopped_at"):
            raise StoppedError

    try:
        taught = distill(task, ([i[None]] for i in images), len(images), scratch, tell)
    except StoppedError:
        return {"stopped": True}
    onnx.save(taught.model, str(folder / f"{name}_student.onnx"))
    taught.record.write(folder / f"{name}_student.json")
    return {
        "evaluations": [[e.iteration, e.loss, e.error] for e in taught.history.evaluations],
        "stopped": taught.history.stopped,
        "warning": taught.warning,
        "told": told,
        "left": sorted(path.name for path in scratch.iterdir()),
    }
