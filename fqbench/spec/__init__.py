"""What a model is: its file, how an image enters it, how its output is read, and its data."""

from fqbench.spec.model import (
    Calibration,
    Coco,
    Crop,
    Decode,
    ImageList,
    Letterbox,
    Logits,
    Margin,
    ModelSpec,
    PPYoloe,
    Preprocess,
    PythonDecoder,
    Stretch,
    YoloV5,
    YoloX,
)

__all__ = [
    "Calibration",
    "Coco",
    "Crop",
    "Decode",
    "ImageList",
    "Letterbox",
    "Logits",
    "Margin",
    "ModelSpec",
    "PPYoloe",
    "Preprocess",
    "PythonDecoder",
    "Stretch",
    "YoloV5",
    "YoloX",
]
