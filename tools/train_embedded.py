"""Train an embedded model on handwritten digits, export it to ONNX and print its accuracy.

    python tools/train_embedded.py digits_mobilenet_v1 fqbench/zoo/weights/digits_mobilenet_v1.onnx

Needs paddlepaddle and paddle2onnx; about eight minutes a model on one core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import zlib  # noqa: F401 - before Paddle, whose copy of it crashes Python's at first use
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import paddle
from embedded_loss import detection_loss
from embedded_models import DecodedYoloV5, MobileNetV1, YoloV5
from numpy.typing import NDArray
from paddle import nn
from paddle.nn import functional

from fqbench import zoo
from fqbench.convert.canonical import canonicalize
from fqbench.spec import Crop, Preprocess
from fqbench.vision.preprocess import prepare
from fqbench.zoo import digits

SEED = 20
"""Of the networks' first weights and of every random image."""
Batch = tuple[NDArray[np.float32], NDArray[Any]]
Batches = Callable[[int], Batch]
CLASSIFIER_CHANNELS = (16, 32, 64, 64, 96, 96, 208, 208, 208, 208, 208, 208, 256, 256)
CLASSIFIER_HALVE = (2, 12)
DETECTOR_WIDTHS = (16, 32, 48, 80, 112)
DETECTOR_DEPTHS = (1, 1, 1, 1)


class Average:
    """The moving average of a network's weights, which is what gets exported."""

    def __init__(self, network: nn.Layer, decay: float = 0.995) -> None:
        self._network, self._decay, self._steps = network, decay, 0
        self._values = {k: v.clone().detach() for k, v in network.state_dict().items()}

    def update(self) -> None:
        """Move towards the network's weights, faster in the first steps."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        with paddle.no_grad():
            for key, value in self._network.state_dict().items():
                self._values[key] = self._values[key] * decay + value.detach() * (1 - decay)

    def apply(self) -> None:
        """Write the average into the network."""
        self._network.set_state_dict(self._values)


def fit(
    network: nn.Layer,
    batches: Batches,
    loss: Callable[[Batch], paddle.Tensor],
    steps: int,
    rate: float,
) -> None:
    """Train with AdamW: the rate rises for a twentieth of ``steps`` and falls as a cosine."""
    warm = steps // 20
    fall = paddle.optimizer.lr.CosineAnnealingDecay(rate, steps - warm, eta_min=rate / 100)
    schedule = paddle.optimizer.lr.LinearWarmup(fall, warm, rate / 20, rate)
    optimizer = paddle.optimizer.AdamW(
        schedule,
        parameters=network.parameters(),
        weight_decay=0.02,
        grad_clip=nn.ClipGradByGlobalNorm(10.0),
    )
    average = Average(network)
    network.train()
    begin, recent = time.time(), 0.0
    for step in range(1, steps + 1):
        value = loss(batches(step))
        value.backward()
        optimizer.step()
        optimizer.clear_grad()
        schedule.step()
        average.update()
        recent += (float(value) - recent) / min(step, 50)
        if step % 100 == 0 or step == steps:
            print(f"{step}/{steps} loss {recent:.4f} {time.time() - begin:.0f} s", flush=True)
    average.apply()
    network.eval()


def preprocess_of(name: str) -> Preprocess:
    """How the embedded model's images become its input."""
    return zoo.spec(name, Path()).preprocess


def at_size(preprocess: Preprocess, size: int) -> Preprocess:
    """The classifier's preprocessing of a portrait, but of the whole shrunk to ``size``."""
    short_side = digits.PORTRAIT * size // preprocess.resize.output[0]
    resize = Crop(kind="crop", size=(size, size), short_side=short_side, interpolation="area")
    return preprocess.model_copy(update={"resize": resize})


def plain(rng: np.random.Generator, digit: digits.Floats) -> digits.Pixels:
    """A bright digit on a black portrait: what a network learns from at once."""
    height, width = (int(side) for side in rng.integers(30, 51, size=2))
    top, left = (int(edge) for edge in rng.integers(7, 13, size=2))
    canvas = np.zeros((digits.PORTRAIT, digits.PORTRAIT, 3), np.uint8)
    ink = 220 * digits.enlarge(digit, height, width)
    canvas[top : top + height, left : left + width] = ink[..., None]
    return canvas


def train_classifier() -> nn.Layer:
    """Plain digits first, then portraits of half the size, then of full size."""
    network = MobileNetV1(10, CLASSIFIER_CHANNELS, CLASSIFIER_HALVE)
    known = digits.train_digits()
    full = preprocess_of("digits_mobilenet_v1")
    half = at_size(full, full.resize.output[0] // 2)

    def batches(draw: Callable[..., digits.Pixels], how: Preprocess, stage: int) -> Batches:
        def batch(step: int) -> Batch:
            rng = digits.generator(SEED, stage, step)
            picks = rng.integers(len(known.labels), size=16)
            images = [prepare(draw(rng, known.images[p]), how).tensor for p in picks]
            return np.concatenate(images), known.labels[picks]

        return batch

    def loss(batch: Batch) -> paddle.Tensor:
        logits = network(paddle.to_tensor(batch[0]))
        return functional.cross_entropy(logits, paddle.to_tensor(batch[1]))

    fit(network, batches(plain, half, stage=0), loss, steps=300, rate=4e-3)
    fit(network, batches(digits.portrait, half, stage=1), loss, steps=400, rate=3e-3)
    fit(network, batches(digits.portrait, full, stage=2), loss, steps=400, rate=2e-3)
    return network


def scene_batch(known: digits.Digits, step: int, count: int) -> Batch:
    """Images [count, 3, 160, 160] from 0 to 1; boxes [m, 6] image, label, cx, cy, w, h."""
    rng = digits.generator(SEED, 3, step)
    images = np.full((count, digits.SCENE, digits.SCENE, 3), 114, np.float32)
    truth = []
    for number, image in enumerate(images):
        scene = digits.scene(rng, known)
        height, width, _ = scene.pixels.shape
        top = int(rng.integers(digits.SCENE - height + 1))
        left = int(rng.integers(digits.SCENE - width + 1))
        image[top : top + height, left : left + width] = scene.pixels
        corner, extent = scene.boxes[:, :2] + (left, top), scene.boxes[:, 2:]
        number_label = np.stack([np.full_like(scene.labels, number), scene.labels], axis=1)
        truth.append(np.concatenate([number_label, corner + extent / 2, extent], axis=1))
    return (
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)) / np.float32(255),
        np.concatenate(truth).astype(np.float32),
    )


def train_detector() -> nn.Layer:
    """Train in two rounds, a quick and a gentle one, on scenes that are new in every step."""
    network = YoloV5(10, DETECTOR_WIDTHS, DETECTOR_DEPTHS)
    known = digits.train_digits()

    def loss(batch: Batch) -> paddle.Tensor:
        return detection_loss(network(paddle.to_tensor(batch[0])), batch[1], network.values)

    fit(network, lambda step: scene_batch(known, step, 8), loss, steps=1200, rate=3e-3)
    fit(network, lambda step: scene_batch(known, 1200 + step, 8), loss, steps=600, rate=1.5e-3)
    return DecodedYoloV5(network, digits.SCENE)


def export(network: nn.Layer, size: int, path: Path) -> None:
    """Write ``network`` as ONNX opset 13 with one input [1, 3, size, size], batch norms folded."""
    network.eval()
    shape = (1, 3, size, size)
    image = paddle.static.InputSpec(shape, "float32", "image")
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "model"
        paddle.onnx.export(network, str(stem), input_spec=[image], opset_version=13)
        model = canonicalize(onnx.load(str(stem.with_suffix(".onnx"))), shape)
    foreign = [opset for opset in model.opset_import if opset.domain]
    for opset in foreign:
        model.opset_import.remove(opset)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


TRAININGS: dict[str, tuple[Callable[[], nn.Layer], int]] = {
    "digits_mobilenet_v1": (train_classifier, 64),
    "digits_yolov5": (train_detector, digits.SCENE),
}


def main() -> None:
    """Train one model and write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(TRAININGS))
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    paddle.seed(SEED)
    train, size = TRAININGS[arguments.name]
    export(train(), size, arguments.file)
    evaluation = Path(__file__).with_name("evaluate_embedded.py")
    subprocess.run([sys.executable, evaluation, arguments.name, arguments.file], check=True)


if __name__ == "__main__":
    main()
