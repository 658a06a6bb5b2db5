"""The seeded networks by name: how each reads an image, and how its output is read."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fqbench.artifacts import file_digest
from fqbench.spec import Calibration, Crop, Folder, Letterbox, ModelSpec, Preprocess, Stretch
from fqbench.spec.inputs import Fill, ImageSize
from fqbench.spec.model import Side
from fqbench.spec.preprocessing import BoxCrop, TextLine
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.settings import RtDetr, YoloV8, YoloV10
from fqbench.tasks.instance_masks.decode import YoloSeg
from fqbench.tasks.keypoints.top_down import Heatmaps
from fqbench.tasks.record import DecoderSettings
from fqbench.tasks.segmentation.decode import Semantic
from fqbench.tasks.text_recognition.decode import Ctc
from fqbench.zoo.processing import IMAGENET_MEAN, IMAGENET_STD
from fqbench.zoo.published import CALIBRATION, EVALUATION, SCENERY_IMAGES

GROUP = "seeded"
"""What all of them are called together."""

FILE = "model.onnx"
"""What ``write_model`` writes."""

NEEDS = "trained weights, of which this network has none"

_SEED = 20201022
"""Of the weights; any number does."""

_IMAGES = 8
"""That weights are normalized on."""


@dataclass(frozen=True)
class Kind:
    """``module``: where the network is; ``cut``: height and width of what its images are cut to,
    in pixels; None: they are whole landscapes.

    ``other_inputs``, ``free``: as in a spec.
    """

    module: str
    task: str
    preprocess: Preprocess
    decode: DecoderSettings
    cut: tuple[int, int] | None = None
    other_inputs: Mapping[str, Fill] = field(default_factory=dict)
    free: tuple[Side, ...] = ()


def _preprocess(
    resize: Letterbox | Stretch | Crop | BoxCrop, *, imagenet: bool = False
) -> Preprocess:
    """Of pixels of 0 to 1, as they are or normalized as on ImageNet."""
    if imagenet:
        return Preprocess(resize=resize, scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    return Preprocess(resize=resize, scale=1 / 255)


_SIDES = (96, 96)
_LETTERBOX = _preprocess(Letterbox(kind="letterbox", size=_SIDES))
_STRETCH = _preprocess(Stretch(kind="stretch", size=_SIDES), imagenet=True)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "vit_seeded": Kind(
            "vit",
            "classification",
            _preprocess(Crop(kind="crop", size=(64, 64), short_side=72), imagenet=True),
            Logits(kind="logits"),
        ),
        "yolov8_seeded": Kind("yolov8", "detection", _LETTERBOX, YoloV8(kind="yolov8")),
        "yolo_seg_seeded": Kind(
            "yolo_seg", "instance_masks", _LETTERBOX, YoloSeg(kind="yolo_seg", max_boxes=100)
        ),
        "yolov10_seeded": Kind("yolov10", "detection", _LETTERBOX, YoloV10(kind="yolov10")),
        "detr_seeded": Kind(
            "detr",
            "detection",
            _STRETCH,
            RtDetr(kind="rtdetr"),
            other_inputs={"orig_target_sizes": ImageSize(kind="image_size", order="wh")},
        ),
        "heatmaps_seeded": Kind(
            "heatmaps",
            "keypoints",
            _preprocess(BoxCrop(kind="box", size=(96, 64)), imagenet=True),
            Heatmaps(kind="heatmaps"),
        ),
        "semantic_seeded": Kind("semantic", "segmentation", _STRETCH, Semantic(kind="semantic")),
        "text_line_seeded": Kind(
            "text_line",
            "text_recognition",
            Preprocess(
                resize=TextLine(kind="line", size=(32, 96)), color="bgr", scale=1 / 127.5, mean=(1,)
            ),
            Ctc(kind="ctc"),
            cut=(80, 240),
            free=("width",),
        ),
    }
)
"""The models by name."""


def seeded_names() -> tuple[str, ...]:
    """The names of all seeded networks."""
    return tuple(KINDS)


def seeded_spec(name: str, model: Path, scenery: Path) -> ModelSpec:
    """The spec of network ``name`` in the file ``model``, on the images of ``write_scenery``.

    INT8 is kept however long it takes: of networks this small, the time says nothing.
    """
    kind, count = KINDS[name], SCENERY_IMAGES
    return ModelSpec(
        name=name,
        task=kind.task,
        model=model,
        other_inputs=kind.other_inputs,
        free=kind.free,
        preprocess=kind.preprocess,
        decode=kind.decode,
        dataset=Folder(kind="folder", images=scenery / EVALUATION, count=count, needs=NEEDS),
        calibration=Calibration(images=scenery / CALIBRATION, count=count),
        speed="assumed",
        weights="synthetic",
    )


def write_model(name: str, preprocess: Preprocess, folder: Path) -> None:
    """Write network ``name``, for images read as ``preprocess`` says, into ``folder``."""
    import onnx

    from fqbench.vision.preprocess import prepare
    from fqbench.zoo.scenery import landscape
    from fqbench.zoo.seeded.network import Network

    kind = KINDS[name]
    images = (landscape(np.random.default_rng([_SEED, number])) for number in range(_IMAGES))
    height, width = kind.cut or (None, None)
    batch = [prepare(image[:height, :width], preprocess).tensor for image in images]
    net = Network(np.concatenate(batch), _SEED)
    module = importlib.import_module(f"fqbench.zoo.seeded.{kind.module}")
    onnx.save(net.model(module.write(net)), str(folder / FILE))


def code_digests() -> list[str]:
    """SHA-256 of the code that makes them."""
    here = Path(__file__).parent
    files = [*here.glob("*.py"), here.parent / "scenery.py"]
    return [file_digest(path) for path in sorted(files)]
