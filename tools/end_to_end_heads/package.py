"""What the package ``ultralytics`` itself makes of a network: its ONNX file, and its answers.

    PYTHON package.py NAME FOLDER SIZE SCORE

Runs in an interpreter that has the package, and without fqbench; see ``__main__``. ``FOLDER`` has
``images.npz``: images [height, width, 3] of BGR bytes, by their names. Written are ``NAME.onnx``,
as the package exports it, and ``NAME.npz``: of each image its answers [n, 6] and, as ``raw:``, what
the file gave them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics import YOLO

SEED = 0


def main(name: str, folder: Path, size: int, score: float) -> None:
    images = dict(np.load(folder / "images.npz"))
    network = YOLO(f"{name}.yaml", task="detect")
    awaken(network.model, torch.stack([squeezed(image, size) for image in images.values()]))
    written = Path(network.export(format="onnx", imgsz=size, nms=False))
    file = written.rename(folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", **answers(file, images, imgsz=size, conf=score))


def awaken(model: Any, images: torch.Tensor) -> None:
    """Give ``model`` the statistics of its own activations on ``images``, and scores that differ.

    As it is built its activations die out, and every score is the same 1e-5.
    """
    torch.manual_seed(SEED)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.requires_grad:
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # The mean over all that is seen.
    model.train()
    with torch.no_grad():
        model(images)
    head = model.model[-1]
    for name, spread, bias in (("cv2", 0.02, 2.0), ("cv3", 0.1, -4.0)):
        for branch in (*getattr(head, name), *getattr(head, f"one2one_{name}")):
            torch.nn.init.normal_(branch[-1].weight, std=spread)
            torch.nn.init.constant_(branch[-1].bias, bias)
    model.eval()


def squeezed(image: NDArray[Any], size: int) -> torch.Tensor:
    """An image as statistics are taken of it."""
    planes = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    return torch.nn.functional.interpolate(planes, (size, size), mode="bilinear")[0]


def answers(
    file: Path, images: dict[str, NDArray[Any]], **settings: Any
) -> dict[str, NDArray[Any]]:
    """What the package answers for each image, and the rows of the file that it makes that of."""
    network = YOLO(file, task="detect")
    rows: list[NDArray[Any]] = []

    def predict(image: NDArray[Any]) -> Any:
        return network.predict(image, device="cpu", verbose=False, **settings)[0]

    predict(next(iter(images.values())))  # It makes the predictor.
    keep(network.predictor, rows)
    found = {}
    for name, image in images.items():
        found[name] = predict(image).boxes.data.numpy()
        found[f"raw:{name}"] = rows[-1]
    return found


def keep(predictor: Any, rows: list[NDArray[Any]]) -> None:
    """Let ``predictor`` append to ``rows`` what its runtime gives."""
    inner = predictor.inference

    def inference(*given: Any, **named: Any) -> Any:
        output = inner(*given, **named)
        rows.append(np.asarray(output[0] if isinstance(output, list | tuple) else output))
        return output

    predictor.inference = inference


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
