from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fqbench.errors import UsageError
from fqbench.spec import Crop, Letterbox, Preprocess, Stretch
from fqbench.vision import image as image_module
from fqbench.vision.geometry import Geometry
from fqbench.vision.image import Pixels, read_image
from fqbench.vision.preprocess import crop, letterbox, prepare, stretch

sides = st.integers(1, 300)


def _flat(height: int, width: int, value: int = 200) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def _box(*edges: float) -> np.ndarray:
    return np.array([edges], np.float32)


def _covered(pixels: Pixels, value: int = 200) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the pixels that are ``value``."""
    rows, columns = np.nonzero(pixels[:, :, 0] == value)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


# YOLOv5's letterbox(image, (640, 640), auto=False): 1080 * 640 / 1920 = 360, rest 280;
# 427 * 1 = 427, rest 213, of which round(106.4) goes above, of 215 round(107.4);
# 333 * 1.28 = 426.24.
@pytest.mark.parametrize(
    ("height", "width", "covered"),
    [
        (1080, 1920, (0, 140, 640, 500)),
        (427, 640, (0, 106, 640, 533)),
        (640, 427, (106, 0, 533, 640)),
        (425, 640, (0, 107, 640, 532)),
        (333, 500, (0, 107, 640, 533)),
        (64, 64, (0, 0, 640, 640)),
    ],
)
def test_letterbox_in_the_centre_rounds_as_yolov5(
    height: int, width: int, covered: tuple[int, ...]
) -> None:
    pixels, _ = letterbox(_flat(height, width), Letterbox(kind="letterbox", size=(640, 640)))
    assert _covered(pixels) == covered
    assert set(np.unique(pixels)) <= {114, 200}


# YOLOX's preproc(image, (416, 416)): int(427 * 0.65) = 277, where rounding would give 278.
@pytest.mark.parametrize(
    ("height", "width", "covered"),
    [(427, 640, (0, 0, 416, 277)), (640, 427, (0, 0, 277, 416)), (100, 200, (0, 0, 416, 208))],
)
def test_letterbox_at_the_top_left_cuts_as_yolox(
    height: int, width: int, covered: tuple[int, ...]
) -> None:
    resize = Letterbox(kind="letterbox", size=(416, 416), align="top_left", pad=7)
    pixels, _ = letterbox(_flat(height, width), resize)
    assert _covered(pixels) == covered
    assert pixels[415, 415].tolist() in ([7, 7, 7], [200, 200, 200])


def test_letterbox_pads_an_odd_rest_more_below() -> None:
    # Two pixels enlarged to 2x4, a rest of 3 rows: one above, two below.
    image = np.array([[[0] * 3, [100] * 3]], np.uint8)
    pixels, geometry = letterbox(image, Letterbox(kind="letterbox", size=(5, 4)))
    gray, row = [114] * 4, [0, 25, 75, 100]
    assert pixels[:, :, 2].tolist() == [gray, row, row, gray, gray]
    assert geometry == Geometry((1, 2), (2.0, 2.0), (1, 0))


def test_letterbox_by_area_looks_at_every_pixel_of_a_larger_image() -> None:
    image = np.zeros((3, 6, 3), np.uint8)
    image[0, 0] = 90
    image[1, 4] = 180
    resize = Letterbox(kind="letterbox", size=(2, 2), interpolation="area")
    pixels, _ = letterbox(image, resize)
    # Blocks of nine pixels; bilinear takes only the one in the middle.
    assert pixels[:, :, 0].tolist() == [[10, 20], [114, 114]]
    linear, _ = letterbox(image, Letterbox(kind="letterbox", size=(2, 2)))
    assert linear[:, :, 0].tolist() == [[0, 180], [114, 114]]


def test_letterbox_by_area_enlarges_by_bilinear() -> None:
    image = np.array([[[0] * 3, [100] * 3]], np.uint8)
    resize = Letterbox(kind="letterbox", size=(2, 4), interpolation="area")
    assert letterbox(image, resize)[0][:, :, 0].tolist() == [[0, 25, 75, 100]] * 2


def test_letterbox_leaves_a_small_image_small_where_told() -> None:
    resize = Letterbox(kind="letterbox", size=(8, 10), enlarge=False)
    pixels, geometry = letterbox(_flat(4, 4), resize)
    assert _covered(pixels) == (3, 2, 7, 6)
    assert geometry == Geometry((4, 4), (1.0, 1.0), (2, 3))


def test_stretch_maps_each_side_by_its_own_factor() -> None:
    _, geometry = stretch(_flat(50, 200), Stretch(kind="stretch", size=(100, 100)))
    assert geometry.to_image(_box(10, 20, 50, 90)).tolist() == [[20, 10, 100, 45]]


def test_crop_cuts_the_centre_and_more_of_an_odd_rest_at_the_end() -> None:
    image = np.arange(7, dtype=np.uint8)[None, :, None].repeat(5, axis=0).repeat(3, axis=2)
    pixels, geometry = crop(image, Crop(kind="crop", size=(5, 4)))
    assert pixels[0, :, 0].tolist() == [1, 2, 3, 4]
    assert geometry.to_image(_box(0, 0, 4, 5)).tolist() == [[1, 0, 5, 5]]


def test_crop_resizes_the_short_side_first() -> None:
    pixels, geometry = crop(_flat(10, 30), Crop(kind="crop", size=(16, 16), short_side=20))
    assert pixels.shape == (16, 16, 3)
    assert geometry == Geometry((10, 30), (2.0, 2.0), (-2, -22))


def test_crop_rounds_the_long_side_of_odd_sizes() -> None:
    # 501 * 256 / 333 = 385.15; a rest of 32 rows and 161 columns.
    _, geometry = crop(_flat(333, 501), Crop(kind="crop", size=(224, 224), short_side=256))
    assert geometry == Geometry((333, 501), (256 / 333, 385 / 501), (-16, -80))


def test_crop_pads_what_is_missing_with_black() -> None:
    pixels, geometry = crop(_flat(4, 2), Crop(kind="crop", size=(4, 5)))
    assert pixels[0, :, 0].tolist() == [0, 200, 200, 0, 0]
    assert geometry.offset == (0, 1)


def test_crop_refuses_to_fill_the_memory() -> None:
    long = np.zeros((1, 30_000, 3), np.uint8)
    with pytest.raises(UsageError, match="an image of 30000x1 pixels is too long"):
        crop(long, Crop(kind="crop", size=(224, 224), short_side=256))


@given(sides, sides, st.sampled_from(["center", "top_left"]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_letterbox_maps_its_picture_onto_the_whole_image(
    height: int, width: int, align: Any, enlarge: bool
) -> None:
    resize = Letterbox(kind="letterbox", size=(64, 96), align=align, enlarge=enlarge)
    pixels, geometry = letterbox(_flat(height, width), resize)
    assert pixels.shape == (64, 96, 3)
    box = geometry.to_image(_box(*_covered(pixels)))
    np.testing.assert_allclose(box, [[0, 0, width, height]], atol=1e-3)


@given(sides, sides, st.data())
@settings(deadline=None, max_examples=60)
def test_boxes_never_leave_the_image(height: int, width: int, data: st.DataObject) -> None:
    kinds = [
        Letterbox(kind="letterbox", size=(32, 48)),
        Stretch(kind="stretch", size=(32, 48)),
        Crop(kind="crop", size=(32, 48), short_side=40),
    ]
    resize = data.draw(st.sampled_from(kinds))
    geometry = prepare(_flat(height, width), Preprocess(resize=resize)).geometry
    edges = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
    x1, y1, x2, y2 = geometry.to_image(_box(*edges))[0]
    assert min(x1, x2) >= 0
    assert max(x1, x2) <= width
    assert min(y1, y2) >= 0
    assert max(y1, y2) <= height


def test_prepare_orders_the_colours_and_normalizes_each() -> None:
    image = np.array([[[51, 102, 204]]], np.uint8)
    resize = Stretch(kind="stretch", size=(1, 1))
    told = {"scale": 1 / 255, "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.25, 0.1)}
    rgb = prepare(image, Preprocess(resize=resize, **told)).tensor
    bgr = prepare(image, Preprocess(resize=resize, color="bgr", **told)).tensor
    np.testing.assert_allclose(rgb.ravel(), [0.2, 0.8, 5.0], rtol=1e-5)
    np.testing.assert_allclose(bgr.ravel(), [1.4, 0.8, -1.0], rtol=1e-5)


def test_prepare_weighs_the_colours_of_gray() -> None:
    image = np.array([[[100, 50, 200]]], np.uint8)
    resize = Stretch(kind="stretch", size=(1, 1))
    prepared = prepare(image, Preprocess(resize=resize, color="gray"))
    # 0.299 * 100 + 0.587 * 50 + 0.114 * 200 = 82.05
    assert prepared.tensor.tolist() == [[[[82.0]]]]


@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
def test_prepare_makes_a_dense_float_tensor(color: Any) -> None:
    resize = Crop(kind="crop", size=(6, 4))
    tensor = prepare(_flat(9, 9), Preprocess(resize=resize, color=color)).tensor
    assert tensor.shape == (1, 1 if color == "gray" else 3, 6, 4)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous


def _saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_read_image_knows_gray_palette_and_transparency(tmp_path: Path) -> None:
    gray = _saved(tmp_path / "gray.png", Image.new("L", (3, 2), 77))
    assert read_image(gray).tolist() == [[[77, 77, 77]] * 3] * 2
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    saved = _saved(tmp_path / "palette.png", palette, transparency=bytes([0, 128]))
    assert read_image(saved).tolist() == [[[10, 20, 30]] * 2]
    clear = _saved(tmp_path / "clear.png", Image.new("RGBA", (1, 1), (1, 2, 3, 0)))
    assert read_image(clear).tolist() == [[[1, 2, 3]]]


def test_read_image_scales_sixteen_bits(tmp_path: Path) -> None:
    deep = Image.fromarray(np.array([[0, 255, 256, 65535]], np.uint16))
    pixels = read_image(_saved(tmp_path / "deep.png", deep))
    assert pixels[0, :, 1].tolist() == [0, 0, 1, 255]


def test_read_image_converts_cmyk(tmp_path: Path) -> None:
    red = _saved(tmp_path / "red.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    np.testing.assert_allclose(read_image(red)[4, 4], [255, 0, 0], atol=2)


def test_read_image_does_not_turn_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    turned = _saved(tmp_path / "turned.jpg", Image.new("RGB", (6, 4)), exif=exif)
    assert read_image(turned).shape == (4, 6, 3)


def test_read_image_result_can_be_written_to(tmp_path: Path) -> None:
    pixels = read_image(_saved(tmp_path / "a.png", Image.new("RGB", (2, 2))))
    pixels[:] = 1
    assert (pixels == 1).all()


def test_read_image_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    with pytest.raises(UsageError, match=r"text.jpg is not an image of a known format: BMP, "):
        read_image(text)
    with pytest.raises(UsageError, match=r"cannot read image .*none.jpg: No such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(UsageError, match=r"cannot read image .*: Is a directory"):
        read_image(tmp_path)


def test_read_image_starts_no_program_for_postscript(tmp_path: Path) -> None:
    script = tmp_path / "image.png"
    script.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(UsageError, match="not an image of a known format"):
        read_image(script)


def test_read_image_refuses_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _saved(tmp_path / "large.png", Image.new("RGB", (40, 40)))
    for limit in (1000, 100):  # Pillow warns above the limit, and raises above its double.
        monkeypatch.setattr(image_module.Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UsageError, match=f"large.png is larger than the {limit} pixels"):
            read_image(path)


@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]), st.data())
@settings(deadline=None, max_examples=80)
def test_read_image_reads_broken_files_or_says_so(
    tmp_path_factory: pytest.TempPathFactory, form: str, data: st.DataObject
) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 30)).convert(
        "RGB"
    ).save(stream, form)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pixels = read_image(path)
    except UsageError as error:
        said = str(error)
    else:
        said = f"broken: {pixels.dtype}, {pixels.ndim} axes"
        assert said == "broken: uint8, 3 axes"
    assert "broken" in said
    assert "\n" not in said


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
def test_read_image_refuses_a_cut_off_file(tmp_path: Path, form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = _saved(tmp_path / "cut", Image.fromarray(noise), format=form)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UsageError, match="cut"):
        read_image(path)
