"""Which input takes the image, and in which layout."""

from __future__ import annotations

import pytest

from fqbench.errors import UsageError
from fqbench.propose.inputs import fills, find_image
from fqbench.spec.contents import Contents
from fqbench.spec.inputs import ImageSize


def contents(**inputs: tuple[int, ...]) -> Contents:
    return Contents(inputs, {}, {}, types={"orig_target_sizes": "int64"})


@pytest.mark.parametrize(
    ("shape", "layout", "sureness", "size"),
    [
        ((1, 3, 32, 64), "nchw", "sure", (32, 64)),
        ((1, 32, 64, 3), "nhwc", "sure", (32, 64)),
        ((-1, 3, -1, -1), "nchw", "likely", (-1, -1)),
        ((1, 1, 28, 28), "nchw", "sure", (28, 28)),
        ((1, 3, 32, 3), "nchw", "guess", (32, 3)),
        ((1, -1, -1, -1), "nchw", "guess", (-1, -1)),
    ],
)
def test_layout(shape: tuple[int, ...], layout: str, sureness: str, size: tuple) -> None:
    found = find_image(contents(x=shape))
    assert (found.layout, found.layout_sureness, found.size) == (layout, sureness, size)


@pytest.mark.parametrize("shape", [(1, 768), (1, 5, 32, 32), (1, 3, 8, 32, 32)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="input 'x' has shape"):
        find_image(contents(x=shape))


def test_two_images_are_refused() -> None:
    with pytest.raises(UsageError, match="left, right: write the spec by hand"):
        find_image(contents(left=(1, 3, 32, 32), right=(1, 3, 32, 32)))


def test_inputs_of_detectors_are_filled_and_others_are_named() -> None:
    two = contents(images=(1, 3, 64, 64), orig_target_sizes=(1, 2))
    assert find_image(two).name == "images"
    assert fills(two, "images") == {"orig_target_sizes": ImageSize(kind="image_size", order="wh")}
    with pytest.raises(UsageError, match="what fills the input 'points'"):
        fills(contents(images=(1, 3, 64, 64), points=(1, 2)), "images")


def test_sizes_that_are_open_are_tried_and_those_that_are_noted_are_taken() -> None:
    open_ = find_image(contents(x=(1, 3, 48, -1)))
    assert list(open_.sizes({})) == [
        ((48, 640), False),
        ((48, 224), False),
        ((48, 320), False),
        ((48, 512), False),
    ]
    noted = find_image(contents(x=(1, 3, -1, -1)))
    assert list(noted.sizes({"imgsz": "[320, 416]"})) == [((320, 416), True)]
    assert ((640, 640), False) in list(noted.sizes({"imgsz": "__import__('os')"}))
