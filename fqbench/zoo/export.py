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
from fqbench.spec import Preprocess
from fqbench.spec.preprocessing import SCALE_FACTOR_INPUT
from fqbench.vision.preprocess import prepare
from fqbench.zoo.scenery import landscape
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


IMAGES = 16
"""To normalize on. Deep layers see little more than one value per image, so it takes several."""

HALVED = 448
"""Inputs from this side on are normalized at half of it: the statistics hardly change."""


def network(name: str, size: int | None = None) -> Any:
    """The layers of model ``name``, with random weights, in evaluation mode.

    ``size``: side of the input in pixels, where the network depends on it; None: as published.
    """
    module, kind = NETWORKS[name]
    layers = getattr(importlib.import_module(f"fqbench.zoo.networks.{module}"), kind)
    made = layers() if size is None else layers(size)
    made.eval()
    return made


def export_synthetic(name: str, preprocess: Preprocess, folder: Path) -> None:
    """Write model ``name`` with synthetic weights into ``folder``."""
    images = [landscape(np.random.default_rng([SEED, number])) for number in range(IMAGES)]
    batch = np.concatenate([prepare(image, preprocess).tensor for image in images])
    size = preprocess.resize.output
    made = network(name)
    if size[0] < HALVED:
        synthesize(made, feeds(name, batch), SEED)
    else:
        smaller = network(name, size[0] // 2)
        synthesize(smaller, feeds(name, batch[:, :, ::2, ::2]), SEED)
        copy_parameters(smaller, made)
    save(made, name, size, folder)


def copy_parameters(source: Any, target: Any) -> None:
    """Give ``target`` the weights of ``source``, the same network at another input size."""
    values = dict(source.named_parameters())
    for name, parameter in target.named_parameters():
        parameter.set_value(values[name])


def feeds(name: str, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What the model's inputs are given for ``images`` [n, 3, h, w] that were not resized."""
    return [images, np.ones((len(images), 2), np.float32)] if name in SCALED else [images]


def save(network: Any, name: str, size: Sequence[int], folder: Path) -> None:
    """Write ``network`` at input ``size`` (h, w) as an inference model into ``folder``."""
    inputs = [InputSpec([1, 3, *size], "float32", "image")]
    if name in SCALED:
        inputs.append(InputSpec([1, 2], "float32", SCALE_FACTOR_INPUT))
    paddle.jit.save(network, str(folder / STEM), input_spec=inputs)
    (folder / f"{STEM}.pdiparams.info").unlink(missing_ok=True)
