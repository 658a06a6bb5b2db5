"""The six models of the published table: official files where they are, else synthetic weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fqbench.artifacts import file_digest
from fqbench.spec import Calibration, Coco, Dataset, Folder, ImageList, Int8File, ModelSpec
from fqbench.zoo import png
from fqbench.zoo.processing import PROCESSING
from fqbench.zoo.scenery import landscape

GROUP = "published"
"""What all of them are called together."""

SCENERY_VERSION = 1
"""Raised when ``write_scenery`` writes other images."""

_SEED = 5
SCENERY_IMAGES = 8
"""For each purpose."""
CALIBRATION, EVALUATION = "calibration", "images"
"""Folders of what ``write_scenery`` writes."""
_IMAGENET_CALIBRATION = 100
_COCO_CALIBRATION = 32

_OFFICIAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "yolov5s": ("yolov5s_infer", "yolov5s.onnx"),
        "yolov6s": ("yolov6s_infer", "yolov6s.onnx"),
        "yolov7": ("yolov7_infer", "yolov7.onnx"),
        "ppyoloe_crn_l_300e_coco": ("ppyoloe_crn_l_300e_coco",),
        "resnet50_vd": ("ResNet50_vd_infer",),
        "mobilenet_v1_ssld": ("MobileNetV1_ssld_infer",),
    }
)
"""Folders (of a Paddle inference model) and files in ``DATA/models``, the first that is there."""

_OFFICIAL_INT8: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "yolov5s": ("yolov5s_quant",),
        "yolov6s": ("yolov6s_quant", "yolov6s_qat_model_new", "yolov6s_ptq_model"),
        "yolov7": ("yolov7_quant",),
        "ppyoloe_crn_l_300e_coco": ("ppyoloe_crn_l_300e_coco_qat",),
        "resnet50_vd": ("resnet50_vd_ptq",),
        "mobilenet_v1_ssld": ("mobilenetv1_ssld_ptq",),
    }
)
"""The same of the published INT8 files."""


@dataclass(frozen=True)
class Weights:
    """A model's file, and Paddle's parameter file beside it."""

    model: Path
    params: Path | None


@dataclass(frozen=True)
class _Data:
    dataset: Dataset
    calibration: Calibration


def published_names() -> tuple[str, ...]:
    """Names in the order of the published table."""
    return tuple(_OFFICIAL)


def official_weights(name: str, root: Path) -> Weights | None:
    """The official file of model ``name`` under the data root; None where it is not there."""
    return _found(_OFFICIAL[name], root)


def _found(places: Sequence[str], root: Path) -> Weights | None:
    for place in places:
        path = root / "models" / place
        if path.suffix == ".onnx" and path.is_file():
            return Weights(path, None)
        models, params = (sorted(path.glob(f"*.{kind}")) for kind in ("pdmodel", "pdiparams"))
        if len(models) == len(params) == 1:
            return Weights(models[0], params[0])
    return None


def write_scenery(folder: Path, cut: tuple[int, int] | None = None) -> None:
    """Write images to calibrate on, and others to time and compare on, into ``folder``.

    ``cut``: height and width that is kept of each, at the top left; None: all of it.
    """
    height, width = cut or (None, None)
    for part, name in enumerate((CALIBRATION, EVALUATION)):
        (folder / name).mkdir()
        for number in range(SCENERY_IMAGES):
            image = landscape(np.random.default_rng([_SEED, part, number]))
            (folder / name / f"{number:04}.png").write_bytes(png.encode(image[:height, :width]))


def synthetic_spec(name: str, weights: Weights, scenery: Path) -> ModelSpec:
    """The spec of model ``name`` with synthetic ``weights`` on the images of ``write_scenery``."""
    needs = f"trained weights: fqbench fetch {name}"
    return _spec(name, weights, _unlabelled(name, scenery, needs), synthetic=True)


def trained_spec(name: str, weights: Weights, root: Path, scenery: Path) -> ModelSpec:
    """The spec of model ``name`` with official ``weights``, on its data set where it is there.

    The published INT8 file is measured beside it where that is under the data root, too.
    """
    source = _SOURCES[PROCESSING[name].task]
    data = source.read(root)
    if data is None:
        data = _unlabelled(name, scenery, f"its data set: fqbench fetch {source.fetched}")
    spec = _spec(name, weights, data, synthetic=False)
    int8 = _found(_OFFICIAL_INT8[name], root)
    if int8 is None:
        return spec
    return spec.model_copy(update={"int8": Int8File(model=int8.model, params=int8.params)})


def code_digests() -> list[str]:
    """SHA-256 of the code that makes synthetic weights."""
    here = Path(__file__).parent
    modules = ("synthetic.py", "scenery.py", "export.py")
    files = [*(here / "networks").glob("*.py"), *(here / name for name in modules)]
    return [file_digest(path) for path in sorted(files)]


def _spec(name: str, weights: Weights, data: _Data, *, synthetic: bool) -> ModelSpec:
    processing = PROCESSING[name]
    return ModelSpec(
        name=name,
        task=processing.task,
        model=weights.model,
        params=weights.params,
        preprocess=processing.preprocess,
        decode=processing.decode,
        dataset=data.dataset,
        calibration=data.calibration,
        weights="synthetic" if synthetic else "trained",
    )


def _unlabelled(name: str, scenery: Path, needs: str) -> _Data:
    """A few images do: what they are for depends on pixels, and a detector's input has many."""
    count = _SOURCES[PROCESSING[name].task].scenery_images
    return _Data(
        Folder(kind="folder", images=scenery / EVALUATION, count=count, needs=needs),
        Calibration(images=scenery / CALIBRATION, count=count),
    )


def _coco(root: Path) -> _Data | None:
    folder = root / "coco"
    images, truth = folder / "val2017", folder / "annotations" / "instances_val2017.json"
    calibration = folder / "COCO_train_320"
    if not (images.is_dir() and truth.is_file() and calibration.is_dir()):
        return None
    return _Data(
        Coco(kind="coco", images=images, annotations=truth),
        Calibration(images=calibration, count=_COCO_CALIBRATION),
    )


def _imagenet(root: Path) -> _Data | None:
    """By a list, whose first images calibrate and are not evaluated, or by folders of classes."""
    folder, count = root / "imagenet", _IMAGENET_CALIBRATION
    images, listed, train = folder / "val", folder / "val_list.txt", folder / "train"
    if images.is_dir() and listed.is_file():
        return _Data(
            ImageList(kind="imagenet", images=images, list=listed, start=count),
            Calibration(images=images, list=listed, count=count),
        )
    if images.is_dir() and train.is_dir():
        return _Data(
            ImageList(kind="imagenet", images=images),
            Calibration(images=train, count=count),
        )
    return None


@dataclass(frozen=True)
class _Source:
    """The data of a task: ``read`` from a data root, or ``fetched`` by these names."""

    read: Callable[[Path], _Data | None]
    fetched: str
    scenery_images: int


_SOURCES: Mapping[str, _Source] = MappingProxyType(
    {
        "classification": _Source(_imagenet, "imagenet", SCENERY_IMAGES),
        "detection": _Source(_coco, "coco_val2017 coco_train_320", 2),
    }
)
