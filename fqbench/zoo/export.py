"""A published network with synthetic weights as a Paddle inference model. Imports paddle."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle.static import InputSpec

from fqbench.convert.program import STEM
from fqbench.spec.model import SCALE_FACTOR_INPUT
from fqbench.zoo.synthetic import synthesize

SEED = 20171028
"""Of the weights; any number does."""

NETWORKS = {
    "yolov5s": ("yolov5", "YoloV5s"),
    "yolov6s": ("yolov6", "YoloV6s"),
    "yolov7": ("yolov7", "YoloV7"),
    "ppyoloe_crn_l_300e_coco": ("ppyoloe", "PPYoloeL"),
    "resnet50_vd": ("resnet_vd", "ResNet50vd"),
    "mobilenet_v1_ssld": ("mobilenet_v1", "MobileNetV1"),
}
"""Module and class of each model's network."""

SCALED = frozenset({"ppyoloe_crn_l_300e_coco"})
"""Models that divide their boxes by the image's scale factor, a second input."""


def network(name: str) -> Any:
    """The layers of model ``name``, with random weights, in evaluation mode."""
    module, kind = NETWORKS[name]
    made = getattr(importlib.import_module(f"fqbench.zoo.networks.{module}"), kind)()
    made.eval()
    return made


def export_synthetic(name: str, images: NDArray[np.float32], folder: Path) -> None:
    """Write model ``name`` into ``folder``, its weights normalized on ``images`` [n, 3, h, w]."""
    made = network(name)
    synthesize(made, feeds(name, images), SEED)
    save(made, name, images.shape[2:], folder)


def feeds(name: str, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What the model's inputs are given for ``images`` that were not resized."""
    return [images, np.ones((1, 2), np.float32)] if name in SCALED else [images]


def save(network: Any, name: str, size: Sequence[int], folder: Path) -> None:
    """Write ``network`` at input ``size`` (h, w) as an inference model into ``folder``."""
    inputs = [InputSpec([1, 3, *size], "float32", "image")]
    if name in SCALED:
        inputs.append(InputSpec([1, 2], "float32", SCALE_FACTOR_INPUT))
    paddle.jit.save(network, str(folder / STEM), input_spec=inputs)
    (folder / f"{STEM}.pdiparams.info").unlink(missing_ok=True)
