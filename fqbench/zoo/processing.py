"""How the six published models read an image, and how their output is read.

As their authors' evaluation does it, so that the figures can be compared with published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fqbench.spec import Crop, Letterbox, Preprocess, Stretch
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.settings import PPYoloe, YoloV5
from fqbench.tasks.record import DecoderSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of red, green and blue in 0..1, over ImageNet; ``IMAGENET_STD`` their standard deviation."""
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Processing:
    """From an image to a model's input, and from its output to boxes or a class."""

    task: str
    preprocess: Preprocess
    decode: DecoderSettings


_SIDES = (640, 640)

_LETTERBOXED = Preprocess(resize=Letterbox(kind="letterbox", size=_SIDES), scale=1 / 255)

_LETTERBOXED_BY_AREA = Preprocess(
    resize=Letterbox(kind="letterbox", size=_SIDES, interpolation="area"), scale=1 / 255
)

_STRETCHED = Preprocess(
    resize=Stretch(kind="stretch", size=_SIDES, interpolation="cubic"),
    scale=1 / 255,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)

_CLASSIFIER = Processing(
    "classification",
    Preprocess(
        resize=Crop(kind="crop", size=(224, 224), short_side=256),
        scale=1 / 255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    ),
    Logits(kind="logits"),
)

PROCESSING: Mapping[str, Processing] = MappingProxyType(
    {
        "yolov5s": Processing("detection", _LETTERBOXED, YoloV5(kind="yolov5")),
        "yolov6s": Processing(
            "detection", _LETTERBOXED_BY_AREA, YoloV5(kind="yolov5", multi_label=False)
        ),
        "yolov7": Processing("detection", _LETTERBOXED, YoloV5(kind="yolov5", multi_label=False)),
        "ppyoloe_crn_l_300e_coco": Processing(
            "detection", _STRETCHED, PPYoloe(kind="ppyoloe", score=0.01, iou=0.6, max_boxes=100)
        ),
        "resnet50_vd": _CLASSIFIER,
        "mobilenet_v1_ssld": _CLASSIFIER,
    }
)
"""The models by name."""
