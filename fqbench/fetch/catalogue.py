"""What can be fetched: addresses, paths under the data root, and what must be there afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from fqbench.errors import UsageError

ARCHIVE_ENDINGS = (".tar.gz", ".tgz", ".tar", ".zip")
GROUPS = {
    "published": (
        "yolov5s",
        "yolov6s",
        "yolov7",
        "ppyoloe_crn_l_300e_coco",
        "resnet50_vd",
        "mobilenet_v1_ssld",
    )
}

_FASTDEPLOY = "https://bj.bcebos.com/paddlehub/fastdeploy"
_SLIM = "https://paddle-slim-models.bj.bcebos.com/act"
_SLIM_DATA = "https://bj.bcebos.com/v1/paddle-slim-models/data"
_CLAS = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/inference"

_GPL = "GPL-3.0"
_APACHE = "Apache-2.0"
_COCO = "images: Flickr's terms of use; annotations: CC BY 4.0"


IMAGENET = "imagenet"
"""Not an item: it may not be redistributed, so it is the user's own copy."""


@dataclass(frozen=True)
class Part:
    """A folder or a file that an item consists of.

    ``place``: where it goes, relative to the data root. ``inside``: where it is in the unpacked
    archive. ``one``, ``some``: patterns of the files of a folder, of which there must be exactly
    one, or at least one; a part with neither is a file.
    """

    place: str
    inside: str = "."
    one: tuple[str, ...] = ()
    some: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return bool(self.one or self.some)


@dataclass(frozen=True)
class Item:
    """One thing to fetch. ``addresses`` are tried in order; ``megabytes`` is a rough size."""

    name: str
    addresses: tuple[str, ...]
    parts: tuple[Part, ...]
    terms: str
    megabytes: int | None = None

    @property
    def file_names(self) -> tuple[str, ...]:
        """The file's name at each of its addresses, each once."""
        return tuple(dict.fromkeys(file_name(address) for address in self.addresses))

    def places(self, root: Path) -> dict[Part, Path]:
        """Where its parts go under the data root."""
        return {part: root / part.place for part in self.parts}

    @property
    def is_archive(self) -> bool:
        """Whether what is fetched is to be unpacked."""
        return self.file_names[0].endswith(ARCHIVE_ENDINGS)


def file_name(address: str) -> str:
    """The last part of an address's path."""
    return PurePosixPath(unquote(urlsplit(address).path)).name


def _model(name: str, *addresses: str, terms: str, megabytes: int | None = None) -> Item:
    """A Paddle inference model in an archive; the folder is called as the first archive."""
    first = file_name(addresses[0])
    stem = next(first.removesuffix(end) for end in ARCHIVE_ENDINGS if first.endswith(end))
    part = Part(f"models/{stem}", one=("*.pdmodel", "*.pdiparams"))
    return Item(name, addresses, (part,), terms, megabytes)


def _onnx(name: str, *addresses: str, terms: str, megabytes: int | None = None) -> Item:
    return Item(name, addresses, (Part(f"models/{file_name(addresses[0])}"),), terms, megabytes)


def _yolo(name: str, megabytes: int) -> tuple[Item, Item]:
    """The same model as a Paddle program and as ONNX."""
    places = (_FASTDEPLOY, _SLIM)
    paddle = [f"{place}/{name}_infer.tar" for place in places]
    onnx = [f"{place}/{name}.onnx" for place in places]
    return (
        _model(name, *paddle, terms=_GPL, megabytes=megabytes),
        _onnx(f"{name}_onnx", *onnx, terms=_GPL, megabytes=megabytes),
    )


_V5S, _V5S_ONNX = _yolo("yolov5s", 28)
_V6S, _V6S_ONNX = _yolo("yolov6s", 66)
_V7, _V7_ONNX = _yolo("yolov7", 141)

_COCO_VAL = Item(
    "coco_val2017",
    (f"{_SLIM_DATA}/coco_val2017.tar",),
    (
        Part("coco/val2017", "val2017", some=("*.jpg",)),
        Part("coco/annotations/instances_val2017.json", "annotations/instances_val2017.json"),
    ),
    _COCO,
    megabytes=800,
)
_COCO_TRAIN = Item(
    "coco_train_320",
    (f"{_FASTDEPLOY}/COCO_train_320.tar",),
    (Part("coco/COCO_train_320", some=("*.jpg",)),),
    _COCO,
)

ITEMS: tuple[Item, ...] = (
    _V5S,
    _V6S,
    _V7,
    _model(
        "ppyoloe_crn_l_300e_coco",
        f"{_FASTDEPLOY}/ppyoloe_crn_l_300e_coco.tgz",
        f"{_SLIM}/ppyoloe_crn_l_300e_coco.tar",
        terms=_APACHE,
    ),
    _model(
        "resnet50_vd",
        f"{_FASTDEPLOY}/ResNet50_vd_infer.tgz",
        f"{_CLAS}/ResNet50_vd_infer.tar",
        terms=_APACHE,
    ),
    _model("mobilenet_v1_ssld", f"{_FASTDEPLOY}/MobileNetV1_ssld_infer.tgz", terms=_APACHE),
    _V5S_ONNX,
    _V6S_ONNX,
    _V7_ONNX,
    _model("yolov5s_int8", f"{_FASTDEPLOY}/yolov5s_quant.tar", terms=_GPL),
    _model("yolov6s_int8", f"{_FASTDEPLOY}/yolov6s_quant.tar", terms=_GPL),
    _model("yolov6s_int8_qat", f"{_FASTDEPLOY}/yolov6s_qat_model_new.tar", terms=_GPL),
    _model("yolov6s_int8_ptq", f"{_FASTDEPLOY}/yolov6s_ptq_model.tar", terms=_GPL),
    _model("yolov7_int8", f"{_FASTDEPLOY}/yolov7_quant.tar", terms=_GPL),
    _model(
        "ppyoloe_crn_l_300e_coco_int8",
        f"{_FASTDEPLOY}/ppyoloe_crn_l_300e_coco_qat.tar",
        terms=_APACHE,
    ),
    _model("resnet50_vd_int8", f"{_FASTDEPLOY}/resnet50_vd_ptq.tar", terms=_APACHE),
    _model("mobilenet_v1_ssld_int8", f"{_FASTDEPLOY}/mobilenetv1_ssld_ptq.tar", terms=_APACHE),
    _COCO_VAL,
    _COCO_TRAIN,
)
"""The addresses stand in public sources; no publisher gives a checksum."""


def chosen_items(names: Sequence[str], known: Sequence[Item] = ITEMS) -> tuple[Item, ...]:
    """The items of these names and groups, each once. Raises UsageError for an unknown name."""
    by_name = {item.name: item for item in known}
    wanted = [member for name in names for member in GROUPS.get(name, (name,))]
    for name in wanted:
        if name not in by_name:
            raise UsageError(
                f"there is nothing to fetch by the name {name!r}: the names are"
                f" {', '.join((*by_name, IMAGENET, *GROUPS))}"
            )
    return tuple(by_name[name] for name in dict.fromkeys(wanted))


def has_imagenet(root: Path) -> bool:
    """Whether the data root has a copy of ImageNet: images with a list, or a folder per class."""
    folder = root / IMAGENET
    usable = (folder / "val_list.txt").is_file() or (folder / "train").is_dir()
    return (folder / "val").is_dir() and usable


def imagenet_instructions(root: Path) -> str:
    """Where a copy of ImageNet goes."""
    folder = root / IMAGENET
    return (
        "imagenet is not fetched, since its terms forbid redistribution: get ILSVRC2012's"
        f" validation images from image-net.org, place them in {folder / 'val'}, and a line 'file"
        f" class' (class 0 to 999) for each of them in {folder / 'val_list.txt'}; or place them"
        f" in a folder for each class, {folder / 'val'}/<synset>/*.JPEG, and training images to"
        f" calibrate on in {folder / 'train'}"
    )
