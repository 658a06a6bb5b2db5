"""What a model is: its file, how an image enters it, how its output is read, and its data."""

from fqbench.spec.model import (
    Calibration,
    Coco,
    Crop,
    Dataset,
    Decode,
    Folder,
    ImageList,
    Int8File,
    Letterbox,
    Margin,
    ModelSpec,
    Preprocess,
    Stretch,
)

__all__ = [
    "Calibration",
    "Coco",
    "Crop",
    "Dataset",
    "Decode",
    "Folder",
    "ImageList",
    "Int8File",
    "Letterbox",
    "Margin",
    "ModelSpec",
    "Preprocess",
    "Stretch",
]
