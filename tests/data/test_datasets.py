from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fqbench.data import Sample, open_dataset
from fqbench.data.calibration import (
    calibration_hash,
    calibration_name,
    calibration_paths,
    overlap,
)
from fqbench.data.coco import largest_boxes
from fqbench.data.digests import Digests
from fqbench.errors import UsageError
from fqbench.pipeline.images import Images
from fqbench.spec import Calibration, Coco, ImageList
from fqbench.spec.load import load_spec
from tests.support.tiny_spec import write_spec

COCO: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}],
    "annotations": [{"image_id": 3, "category_id": 5, "bbox": [0, 0, 2.5, 2]}],
    "categories": [{"id": 90, "name": "toothbrush"}, {"id": 5, "name": "aeroplane"}],
}

HASH = "9d621339892086655f7a568c14035b2627215a91ba28452f59ea7bb2eb0a9c0d"
"""SHA-256 of the hex digests of "a.jpg" and "b.jpg", one after the other."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c d.JPG"):
        (folder / name).write_bytes(name.encode())
    (folder / "notes.txt").write_text("no image")
    return folder


def _coco(images: Path, content: object = COCO, **options: int) -> Coco:
    path = images.parent / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Coco(kind="coco", images=images, annotations=path, **options)


def _list(images: Path, text: str, **options: int) -> ImageList:
    path = images.parent / "list.txt"
    path.write_text(text)
    return ImageList(kind="imagenet", images=images, list=path, **options)


def test_coco_is_ordered_by_ids(images: Path) -> None:
    data = open_dataset(_coco(images))
    assert data.samples == (Sample(3, images / "a.jpg"), Sample(7, images / "b.jpg"))
    assert data.category_ids == (5, 90)
    assert data.annotations == images.parent / "annotations.json"


def test_a_part_of_a_data_set_is_chosen_by_start_and_count(images: Path) -> None:
    text = "a.jpg 0\nb.jpg 1\na.jpg 2\n"
    chosen = open_dataset(_list(images, text, start=1, count=1)).samples
    assert [sample.label for sample in chosen] == [1]
    rest = open_dataset(_list(images, text, start=1, count=50)).samples
    assert [sample.label for sample in rest] == [1, 2]
    with pytest.raises(UsageError, match=r"no image is left.*3 are listed and dataset.start is 3"):
        open_dataset(_list(images, text, start=3))


def _changed(key: str, value: object) -> dict[str, Any]:
    return {**COCO, key: value}


def _image(**fields: object) -> list[dict[str, Any]]:
    return [{"id": 3, "file_name": "a.jpg", **fields}]


def _object(**fields: object) -> list[dict[str, Any]]:
    return [{**COCO["annotations"][0], **fields}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'images'", r"annotations.json: not COCO annotations: Invalid JSON"),
        ("", "not COCO annotations: Invalid JSON"),
        ([], "not COCO annotations: Input should be an object"),
        ({}, r"json, images: not COCO annotations: Field required"),
        (_changed("images", {}), r"json, images: .*valid (list|array)"),
        (_changed("images", []), "no image is left to evaluate, 0 are listed"),
        (_changed("images", _image(id="3")), r"json, images.0.id: .*valid integer"),
        (_changed("images", _image(file_name=3)), r"images.0.file_name: .*valid string"),
        (_changed("images", _image() + _image()), "two of 'images' have the id 3"),
        (
            _changed("images", _image(file_name="z.jpg")),
            r"dataset.images: .*z.jpg is not there, 1 of",
        ),
        (_changed("images", _image(file_name="../a.jpg")), r"'../a.jpg' leads out of the images"),
        (_changed("images", _image(file_name="/etc/passwd")), "'/etc/passwd' leads out"),
        (_changed("images", _image(file_name="a\0.jpg")), "dataset.images"),
        (_changed("annotations", _object(bbox=[1, 2, 3])), r"annotations.0.bbox"),
        (_changed("annotations", _object(bbox=[1, 2, -3, 4])), r"annotations.0.bbox.2: .*greater"),
        (_changed("annotations", _object(bbox=[1, 2, None, 4])), r"annotations.0.bbox.2: .*number"),
        (_changed("annotations", _object(area=None)), r"annotations.0.area"),
        (_changed("annotations", _object(iscrowd=2)), r"annotations.0.iscrowd"),
        (_changed("annotations", _object(category_id=6)), "category_id 6, which is not in"),
        (_changed("annotations", []), "none of the 2 images to evaluate has an object"),
        (_changed("annotations", _object(iscrowd=1)), "none of the 2 images to evaluate has an"),
        (_changed("categories", []), r"json, categories: .*at least 1"),
        (_changed("categories", [{"id": 5}, {"id": 5}]), "two of 'categories' have the id 5"),
    ],
)
def test_a_broken_annotation_file_is_told(images: Path, content: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        open_dataset(_coco(images, content))
    assert "\n" not in str(caught.value)


def test_a_missing_annotation_file_is_told(images: Path) -> None:
    dataset = Coco(kind="coco", images=images, annotations=images / "none.json")
    with pytest.raises(UsageError, match=r"cannot read .*none.json: No such file"):
        open_dataset(dataset)


def test_a_list_may_hold_spaces_tabs_and_empty_lines(images: Path) -> None:
    data = open_dataset(_list(images, "\ufeffa.jpg 0\r\n\n  b.jpg\t12  \nc d.JPG 3"))
    assert data.samples == (
        Sample(1, images / "a.jpg", 0),
        Sample(3, images / "b.jpg", 12),
        Sample(4, images / "c d.JPG", 3),
    )
    assert data.annotations is None


@pytest.mark.parametrize("line", ["b.jpg", "b.jpg -1", "b.jpg 1.5", "b.jpg cat", "7", "b.jpg ٣"])
def test_a_line_without_a_class_is_told(images: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"list.txt, line 2: expected 'file class'"):
        open_dataset(_list(images, f"a.jpg 0\n{line}\n"))


def test_a_list_that_is_no_text_is_told(images: Path) -> None:
    dataset = _list(images, "")
    dataset.list.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UsageError, match=r"list.txt is not a text file in UTF-8"):
        open_dataset(dataset)
    dataset.list.unlink()
    with pytest.raises(UsageError, match=r"cannot read .*list.txt: No such file"):
        open_dataset(dataset)


def test_a_list_cannot_lead_out_of_the_folder(images: Path) -> None:
    with pytest.raises(UsageError, match=r"list.txt: file name 'x/../../a.jpg' leads out"):
        open_dataset(_list(images, "x/../../a.jpg 0"))


def test_calibration_takes_the_images_of_a_folder_by_name(images: Path) -> None:
    assert calibration_paths(Calibration(images=images)) == (
        images / "a.jpg",
        images / "b.jpg",
        images / "c d.JPG",
    )
    part = Calibration(images=images, start=1, count=1)
    assert calibration_paths(part) == (images / "b.jpg",)


def test_calibration_takes_the_order_of_a_list(images: Path) -> None:
    path = images.parent / "list.txt"
    path.write_text("c d.JPG\nb.jpg 4\n")
    chosen = calibration_paths(Calibration(images=images, list=path))
    assert chosen == (images / "c d.JPG", images / "b.jpg")


def test_calibration_takes_each_so_many_th_image(images: Path) -> None:
    chosen = Calibration(images=images, every=2)
    assert calibration_paths(chosen) == (images / "a.jpg", images / "c d.JPG")
    chosen = Calibration(images=images, start=1, every=2, count=1)
    assert calibration_paths(chosen) == (images / "b.jpg",)


def test_a_name_in_a_list_ends_at_a_tab(images: Path) -> None:
    path = images.parent / "labels.tsv"
    path.write_text("c d.JPG\tsome text\na.jpg\tROOM 12\nb.jpg\t7023083507\n")
    chosen = calibration_paths(Calibration(images=images, list=path))
    assert chosen == (images / "c d.JPG", images / "a.jpg", images / "b.jpg")


def test_calibration_may_need_a_box_of_each_image(images: Path) -> None:
    def entry(image: int, category: int, side: float, crowd: int = 0) -> dict[str, Any]:
        box = [1, 2, side, 2 * side]
        return {"image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd}

    path = images.parent / "boxes.json"
    listed = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    content = {
        "images": [*listed, {"id": 3, "file_name": "c d.JPG"}],
        "annotations": [
            *(entry(1, 1, 5), entry(1, 1, 9), entry(1, 1, 7), entry(1, 2, 50)),
            *(entry(2, 2, 9), entry(2, 1, 9, crowd=1), entry(3, 1, 4)),
        ],
        "categories": [{"id": 2}, {"id": 1}],
    }
    path.write_text(json.dumps(content))
    chosen = calibration_paths(Calibration(images=images, boxes=path))
    assert chosen == (images / "a.jpg", images / "c d.JPG")
    assert largest_boxes(images, path) == {
        images / "a.jpg": (1, 2, 9, 18),
        images / "c d.JPG": (1, 2, 4, 8),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.txt has 0 images, calibration.start is 0"),
        ("z.jpg\na.jpg", r"calibration.images: .*z.jpg is not there, 1 of 2 are missing"),
        ("../images/a.jpg", r"'../images/a.jpg' leads out"),
    ],
)
def test_a_calibration_list_that_does_not_do_is_told(images: Path, text: str, message: str) -> None:
    path = images.parent / "list.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        calibration_paths(Calibration(images=images, list=path))


def test_a_calibration_folder_that_does_not_do_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has 0 images, calibration.start is 0"):
        calibration_paths(Calibration(images=tmp_path))
    with pytest.raises(UsageError, match=r"calibration.images: .*none is not a folder"):
        calibration_paths(Calibration(images=tmp_path / "none"))


def test_calibration_hash_tells_content_and_order_but_no_names(images: Path) -> None:
    a, b = images / "a.jpg", images / "b.jpg"
    copy = Path(shutil.copy(a, images / "copy.jpg"))
    assert calibration_hash([a, b]) == HASH
    assert calibration_hash([copy, b]) == HASH
    assert calibration_hash([b, a]) != HASH
    assert calibration_hash([a]) != HASH


def test_overlap_finds_the_same_image_under_another_name(images: Path, tmp_path: Path) -> None:
    a, b = images / "a.jpg", images / "b.jpg"
    copy = Path(shutil.copy(b, images / "copy.png"))
    samples = [Sample(1, b), Sample(2, images / "c d.JPG")]
    # a.jpg is as long as b.jpg, but another image.
    digests = Digests(tmp_path / "cache")
    assert overlap([a, copy, b], samples, digests) == (copy, b)
    assert overlap([a], samples, digests) == ()


def test_images_that_vanished_are_told(images: Path, tmp_path: Path) -> None:
    gone = Sample(1, images / "gone.jpg")
    with pytest.raises(UsageError, match=r"cannot read image .*gone.jpg: No such file"):
        overlap([images / "a.jpg"], [gone], Digests(tmp_path))


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Three folders of classes: of two images, of none, of one."""
    folder = tmp_path / "val"
    for name in ("n02/b.JPEG", "n02/a.JPEG", "n10/z.png", "n10/notes.txt", ".git/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "n05").mkdir()
    (folder / "README").write_text("not a folder")
    return folder


def test_without_a_list_each_folder_is_a_class(classes: Path) -> None:
    data = open_dataset(ImageList(kind="imagenet", images=classes))
    assert data.samples == (
        Sample(1, classes / "n02/a.JPEG", 0),
        Sample(2, classes / "n02/b.JPEG", 0),
        Sample(3, classes / "n10/z.png", 2),
    )
    assert data.classes == 3
    part = open_dataset(ImageList(kind="imagenet", images=classes, start=1, count=1))
    assert (part.samples, part.classes) == (data.samples[1:2], 3)


def test_a_folder_without_classes_or_list_is_told(images: Path) -> None:
    with pytest.raises(
        UsageError, match=r"images has no folders of classes: name a list file by d"
    ):
        open_dataset(ImageList(kind="imagenet", images=images))
    (images / "n01").mkdir()
    with pytest.raises(UsageError, match="no image is left to evaluate, 0 are listed"):
        open_dataset(ImageList(kind="imagenet", images=images))


def test_classes_must_be_those_of_the_model(classes: Path, tmp_path: Path) -> None:
    dataset = {"kind": "imagenet", "images": classes.name}
    images = Images(load_spec(write_spec(tmp_path, dataset=dataset), None), Digests(tmp_path))
    images.check_classes(3)
    with pytest.raises(UsageError, match=r"val: it has 3 folders of classes, .*tiny.onnx has 1000"):
        images.check_classes(1000)


def test_calibration_takes_folders_of_classes_by_turns(classes: Path) -> None:
    chosen = calibration_paths(Calibration(images=classes, count=2))
    assert chosen == (classes / "n02/a.JPEG", classes / "n10/z.png")
    assert calibration_paths(Calibration(images=classes))[2:] == (classes / "n02/b.JPEG",)


def test_calibration_is_named_by_its_source_and_part(images: Path) -> None:
    folder = Path("coco/train2017")
    assert calibration_name(Calibration(images=folder), 20) == "train2017[0:20]"
    listed = Calibration(images=folder, list=Path("lists/some.txt"), start=5, count=64)
    assert calibration_name(listed, 64) == "some.txt[5:69]"


def test_images_know_the_name_of_what_calibrates(tmp_path: Path) -> None:
    images = Images(load_spec(write_spec(tmp_path), None), Digests(tmp_path))
    assert images.calibration_name == "calibration[0:8]"


def test_the_digest_of_images_tells_content_and_order(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path), None)
    found = []
    for change in (None, "other"):
        if change is not None:
            (tmp_path / "images" / "03.png").write_text(change)
        found.append(Images(spec, Digests(tmp_path)).digest)
    part = spec.dataset.model_copy(update={"count": 5})
    found.append(Images(spec.model_copy(update={"dataset": part}), Digests(tmp_path)).digest)
    assert len(set(found)) == 3


def test_a_data_set_of_full_size_is_opened_without_a_look_at_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "val"
    folder.mkdir()
    names = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(2000)]
    for name in names:
        (folder / name).touch()
    looked_at: list[object] = []
    real = os.stat
    monkeypatch.setattr(
        os, "stat", lambda path, **more: looked_at.append(path) or real(path, **more)
    )
    data = open_dataset(_list(folder, "".join(f"{name} 1\n" for name in names)))
    assert len(data.samples) == 2000
    assert len(looked_at) < 20
