"""The tensors of a model's inputs."""

import numpy as np
import pytest

from fqbench.measure.cell_loading import Reading
from fqbench.spec import Preprocess
from fqbench.spec.inputs import Filled, ImageForm
from fqbench.vision.inputs import as_taken, constant, filled
from fqbench.vision.preprocess import prepare

PREPROCESS = Preprocess.model_validate({"resize": {"kind": "stretch", "size": [4, 8]}})
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 10, 3), dtype=np.uint8)


def given(fill, kind="float32", shape=(1, 2)):
    return Filled.model_validate({"fill": fill, "type": kind, "shape": shape})


@pytest.mark.parametrize(
    ("fill", "kind", "shape", "wanted"),
    [
        ({"kind": "image_size"}, "float32", (1, 2), [[20.0, 10.0]]),
        ({"kind": "image_size", "order": "wh"}, "int64", (1, 2), [[10, 20]]),
        ({"kind": "input_size"}, "float32", (2,), [4.0, 8.0]),
        ({"kind": "input_size", "order": "wh"}, "int32", (1, 2), [[8, 4]]),
        ({"kind": "scale_factor"}, "float32", (1, 2), [[0.2, 0.8]]),
        ({"kind": "scale_factor", "order": "wh"}, "float64", (1, 2), [[0.8, 0.2]]),
        ({"kind": "constant", "value": 0.5}, "float16", (2, 1), [[0.5], [0.5]]),
        ({"kind": "constant", "value": [1, 2]}, "int64", (1, 2), [[1, 2]]),
        ({"kind": "constant", "value": True}, "bool", (), True),
    ],
)
def test_what_goes_with_an_image(fill, kind, shape, wanted):
    found = filled(given(fill, kind, shape), prepare(IMAGE, PREPROCESS).geometry, (4, 8))
    np.testing.assert_array_equal(found, np.array(wanted, kind))
    assert found.dtype == kind
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_what_differs_between_images_is_no_constant():
    with pytest.raises(ValueError, match="differs from image to image"):
        constant(given({"kind": "image_size"}), (4, 8))


@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
def test_an_image_as_a_file_takes_it(kind):
    tensor = prepare(IMAGE, PREPROCESS).tensor
    plain, last = (as_taken(tensor, ImageForm(layout=k, type=kind)) for k in ("nchw", "nhwc"))
    assert (plain.shape, last.shape) == ((1, 3, 4, 8), (1, 4, 8, 3))
    assert plain.dtype == last.dtype == kind
    np.testing.assert_array_equal(plain, tensor)
    np.testing.assert_array_equal(last[0, 1, 2], tensor[0, :, 1, 2])


def test_a_graph_of_ours_takes_what_differs_between_images_only():
    own = Reading(
        preprocess=PREPROCESS,
        inputs=("size", "x", "limit", "scale_factor"),
        form=ImageForm(layout="nhwc", type="uint8", batch=4),
        others={
            "size": given({"kind": "image_size"}, "float16", (4, 2)),
            "limit": given({"kind": "constant", "value": 1}, "float32", (1,)),
        },
    )
    assert own.image == "x"
    assert own.plain.inputs == ("size", "x", "scale_factor")
    size, image, scale = own.plain.feed(IMAGE)
    np.testing.assert_array_equal(size, np.array([[20, 10]], np.float32))
    assert (image.dtype, image.shape) == (np.float32, (1, 3, 4, 8))
    np.testing.assert_allclose(scale, [[0.2, 0.8]], rtol=1e-6)
    assert own.plain.plain == own.plain


def test_images_are_read_at_several_sizes_by_turns():
    reading = Reading(preprocess=PREPROCESS, inputs=("x",), sizes=((4, 8), (4, 16)))
    shapes = [reading.turn(number).feed(IMAGE)[0].shape[2:] for number in range(3)]
    assert shapes == [(4, 8), (4, 16), (4, 8)]
    assert reading.feed(IMAGE)[0].shape[2:] == (4, 8)
