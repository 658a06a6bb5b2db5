"""What a model is: its file, how an image enters it, how its output is read, and its data."""

from fqbench.spec.datasets import Coco, Dataset, Folder, ImageList
from fqbench.spec.model import Decode, ModelSpec
from fqbench.spec.preprocessing import Crop, Letterbox, Preprocess, Stretch
from fqbench.spec.quantization import Calibration, Int8File, Margin

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
