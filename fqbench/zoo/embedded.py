"""The embedded models: their data written to a folder, and the specs that point there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fqbench.errors import UsageError
from fqbench.jsonvalue import Json
from fqbench.spec import (
    Calibration,
    Coco,
    Crop,
    ImageList,
    Letterbox,
    ModelSpec,
    Preprocess,
)
from fqbench.spec.quantization import Distillation
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.settings import YoloV5
from fqbench.zoo import digits, png

DATA_VERSION = "1"
"""Raised with every change of the images or annotations that ``materialize`` writes."""

_SEED = 1797
_CALIBRATION_IMAGES = 64
_ITERATIONS = 100
"""Of distillation: enough for networks this small, and a default run is to take a few minutes."""
_SCENES = 100
_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class _Entry:
    write: Callable[[Path], None]
    spec: Callable[[Path], ModelSpec]


def embedded_names() -> tuple[str, ...]:
    """Names of the models whose weights and data need no network."""
    return tuple(_ENTRIES)


def materialize(name: str, directory: Path) -> None:
    """Write the evaluation and calibration data of model ``name`` into ``directory``.

    The bytes depend on nothing but ``name`` and ``DATA_VERSION``. The folder must exist.

    Raises ``UsageError`` where no embedded model has that name.
    """
    _entry(name).write(directory)


def spec(name: str, data_dir: Path) -> ModelSpec:
    """The spec of model ``name`` on the data that ``materialize`` has written to ``data_dir``.

    Raises ``UsageError`` where no embedded model has that name.
    """
    return _entry(name).spec(data_dir)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise UsageError(f"no embedded model {name!r}, expected one of {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def _write_image(path: Path, pixels: digits.Pixels) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png.encode(pixels))


def _write_portraits(directory: Path) -> None:
    """One image of every evaluation digit with its class in ``labels.txt``; calibration images."""
    lines = []
    evaluation, train = digits.evaluation_digits(), digits.train_digits()
    for number, (image, label) in enumerate(zip(evaluation.images, evaluation.labels, strict=True)):
        name = f"{number:04}.png"
        pixels = digits.portrait(digits.generator(_SEED, 0, number), image)
        _write_image(directory / "images" / name, pixels)
        lines.append(f"{name} {label}\n")
    (directory / "labels.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
    for number, image in enumerate(train.images[:_CALIBRATION_IMAGES]):
        pixels = digits.portrait(digits.generator(_SEED, 1, number), image)
        _write_image(directory / "calibration" / f"{number:04}.png", pixels)


def _write_scenes(directory: Path) -> None:
    """Scenes of evaluation digits with ``annotations.json`` (COCO); calibration scenes."""
    evaluation, train = digits.evaluation_digits(), digits.train_digits()
    scenes = [digits.scene(digits.generator(_SEED, 2, n), evaluation) for n in range(_SCENES)]
    for number, scene in enumerate(scenes):
        _write_image(directory / "images" / f"{number:04}.png", scene.pixels)
    (directory / "annotations.json").write_text(json.dumps(_coco(scenes)), encoding="utf-8")
    for number in range(_CALIBRATION_IMAGES):
        scene = digits.scene(digits.generator(_SEED, 3, number), train)
        _write_image(directory / "calibration" / f"{number:04}.png", scene.pixels)


def _coco(scenes: list[digits.Scene]) -> dict[str, Json]:
    """COCO's records; ids count from 1, so category 1 is the digit 0."""
    images: list[Json] = [
        {"id": number, "file_name": f"{number - 1:04}.png", "height": h, "width": w}
        for number, (h, w, _) in enumerate((s.pixels.shape for s in scenes), start=1)
    ]
    objects = [
        (number, box.tolist(), int(label))
        for number, scene in enumerate(scenes, start=1)
        for box, label in zip(scene.boxes, scene.labels, strict=True)
    ]
    annotations: list[Json] = [
        {
            "id": number,
            "image_id": image,
            "category_id": label + 1,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
        }
        for number, (image, box, label) in enumerate(objects, start=1)
    ]
    categories: list[Json] = [{"id": label + 1, "name": str(label)} for label in range(10)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _classifier(data_dir: Path) -> ModelSpec:
    return ModelSpec(
        name="digits_mobilenet_v1",
        task="classification",
        model=_WEIGHTS / "digits_mobilenet_v1.onnx",
        preprocess=Preprocess(
            resize=Crop(kind="crop", size=(64, 64)),
            scale=1 / 255,
            mean=(0.5,),
            std=(0.25,),
        ),
        decode=Logits(kind="logits"),
        dataset=ImageList(
            kind="imagenet", images=data_dir / "images", list=data_dir / "labels.txt"
        ),
        calibration=Calibration(images=data_dir / "calibration", count=_CALIBRATION_IMAGES),
        distillation=Distillation(iterations=_ITERATIONS),
    )


def _detector(data_dir: Path) -> ModelSpec:
    return ModelSpec(
        name="digits_yolov5",
        task="detection",
        model=_WEIGHTS / "digits_yolov5.onnx",
        preprocess=Preprocess(
            resize=Letterbox(kind="letterbox", size=(digits.SCENE, digits.SCENE)), scale=1 / 255
        ),
        decode=YoloV5(kind="yolov5"),
        dataset=Coco(
            kind="coco", images=data_dir / "images", annotations=data_dir / "annotations.json"
        ),
        calibration=Calibration(images=data_dir / "calibration", count=_CALIBRATION_IMAGES),
        distillation=Distillation(iterations=_ITERATIONS),
    )


_ENTRIES = {
    "digits_mobilenet_v1": _Entry(_write_portraits, _classifier),
    "digits_yolov5": _Entry(_write_scenes, _detector),
}
