"""The published architectures, by the figures that their authors publish."""

import pytest

from fqbench import zoo
from fqbench.isolate.parent import _run, _Watch
from tests.support.paddle import needs_paddle, require_paddle

# Parameters in millions and 10^9 operations, two a multiply-add, as published: YOLOv5 6.0
# (README), YOLOv6 0.1 (README), YOLOv7 (README), PP-YOLOE (PaddleDetection 2.4, model zoo),
# ResNet50_vd and MobileNetV1 (PaddleClas, model zoo).
PUBLISHED = {
    "yolov5s": (7.2, 16.5),
    "yolov6s": (17.2, 44.2),
    "yolov7": (36.9, 104.7),
    "ppyoloe_crn_l_300e_coco": (52.2, 110.1),
    "resnet50_vd": (25.6, 8.67),
    "mobilenet_v1_ssld": (4.2, 1.1),
}
TOLERANCE = 0.01
"""Authors count batch norms and round; some count activations, too."""
ROUNDED = {"mobilenet_v1_ssld": 0.04}

OUTPUTS = {
    "yolov5s": [[1, 25200, 85]],
    "yolov6s": [[1, 8400, 85]],
    "yolov7": [[1, 25200, 85]],
    "ppyoloe_crn_l_300e_coco": [[1, 8400, 4], [1, 80, 8400]],
    "resnet50_vd": [[1, 1000]],
    "mobilenet_v1_ssld": [[1, 1000]],
}


def call(function, **arguments):
    # The child looks for modules where this process does: the root of the repository.
    return _run(
        f"tests.support.network_functions:{function}",
        arguments,
        {},
        _Watch(function, timeout_s=300),
    )


def test_every_published_model_is_tested():
    assert zoo.published_names() == tuple(PUBLISHED)


@pytest.fixture(scope="module")
def costs():
    require_paddle()
    return call("costs")


@pytest.fixture(scope="module")
def liveliness():
    require_paddle()
    return call("liveliness", size=128)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_operations_are_the_published_ones(costs, name):
    found = costs[name]
    parameters, operations = PUBLISHED[name]
    # What is rounded to a tenth may be off by half of that.
    assert found["parameters"] / 1e6 == pytest.approx(parameters, rel=TOLERANCE, abs=0.05)
    tolerance = ROUNDED.get(name, TOLERANCE)
    assert 2 * found["multiply_adds"] / 1e9 == pytest.approx(operations, rel=tolerance)
    assert found["outputs"] == OUTPUTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_synthetic_activations_neither_die_nor_explode(liveliness, name):
    found = liveliness[name]
    assert found["finite"]
    for mean, deviation, positive in found["units"]:
        assert abs(mean) < 3.0
        assert 0.1 < deviation < 20.0
        assert 0.1 < positive < 0.9


@pytest.mark.slow
@needs_paddle
def test_weights_follow_from_the_seed():
    one, same, other = call("digests", seeds=[1, 1, 2])
    assert one == same != other
