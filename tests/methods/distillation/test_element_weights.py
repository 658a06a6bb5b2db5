"""What each element of a detector's raw outputs counts: found by what it changes, not by names."""

import numpy as np
import pytest

from fqbench.graph.graph import Graph
from fqbench.methods.distillation.element_weights import MIN_WEIGHT, NONE, ElementWeights
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.detection.decode import PP_YOLOE, YOLOV5, YOLOX
from fqbench.tasks.detection.settings import PPYoloe, YoloV5, YoloX
from fqbench.tasks.shared import Undecoded
from fqbench.tune.error import raw_outputs
from tests.support.onnx_graphs import Net, anchors

V5, X, PP = YoloV5(kind="yolov5"), YoloX(kind="yolox"), PPYoloe(kind="ppyoloe")


def grid(side, start):
    return np.arange(start, start + side * side).reshape(side, side)


def places(net, outputs, decode):
    model = net.model(*outputs)
    return ElementWeights.of(model, raw_outputs(Graph(model)), decode)


def test_rows_of_anchors_are_found_through_reshape_and_transpose():
    net = Net(1, (1, 3, 4, 4))
    small = net.conv("x", 14, strides=[2, 2])
    large = net.conv("x", 14)
    rows = net.node("Concat", anchors(net, large, 2, 4), anchors(net, small, 2, 2), axis=1)
    found = places(net, [rows], V5)
    assert found.outputs == (rows,)
    of_small, of_large = found.rows
    assert of_large.shape == (14, 4, 4)
    assert of_small.shape == (14, 2, 2)
    for channel in range(14):
        anchor = channel // 7
        assert (of_large[channel] == grid(4, 16 * anchor)).all()
        assert (of_small[channel] == grid(2, 32 + 4 * anchor)).all()


def distributions(net):
    """PP-YOLOE's two outputs: sides from a distribution over four bins, and scores of 3 classes."""
    sides = net.node("Reshape", net.conv("x", 16), net.constant("bins", np.array([1, 4, 4, 16])))
    chances = net.node("Softmax", net.node("Transpose", sides, perm=[0, 3, 1, 2]), axis=3)
    values = net.constant("values", np.arange(4, dtype=np.float32).reshape(4, 1))
    boxes = net.node(
        "Reshape", net.node("MatMul", chances, values), net.constant("b", np.array([1, 16, 4]))
    )
    scores = net.node("Reshape", net.conv("x", 3), net.constant("s", np.array([1, 3, 16])))
    return boxes, net.node("Sigmoid", scores)


def test_what_several_channels_make_up_counts_as_its_place():
    net = Net(2, (1, 3, 4, 4))
    boxes, scores = distributions(net)
    model = net.model(boxes, scores)
    heads = [layer.output[0] for layer in Graph(model).layers()]
    of_boxes, of_scores = ElementWeights.of(model, heads, PP).rows
    assert of_boxes.shape == (16, 4, 4)
    assert (of_boxes == grid(4, 0)).all()
    assert (of_scores == grid(4, 0)).all()


def test_what_ends_in_no_row_counts_as_nothing():
    net = Net(3, (1, 3, 4, 4))
    kept, _ = net.split(net.conv("x", 14))
    (rows,) = places(net, [anchors(net, kept, 1, 4)], V5).rows
    assert (rows[:7] == grid(4, 0)).all()
    assert (rows[7:] == NONE).all()
    found = ElementWeights(YOLOV5.rows, ("rows",), (rows,))
    (weights,) = found.weights(np.ones((2, 16), np.float32))
    assert weights.shape == (2, 14, 4, 4)
    assert weights[:, :7] == pytest.approx(1 + MIN_WEIGHT)
    assert weights[:, 7:] == pytest.approx(MIN_WEIGHT)


def test_an_element_counts_what_the_teacher_is_sure_of_its_row():
    found = ElementWeights(YOLOX.rows, ("rows",), (np.array([[[1, 0]]]), np.array([[[0, NONE]]])))
    rows = np.zeros((1, 2, 7), np.float32)
    rows[0, 0, 4:] = 0.5, 0.8, 0.2
    rows[0, 1, 4:] = 0.25, 0.4, 1.0
    known = found.confidences([rows])
    assert known.tolist() == pytest.approx([0.4, 0.25])
    one, other = found.weights(known[None])
    assert one.ravel().tolist() == pytest.approx([0.26, 0.41])
    assert other.ravel().tolist() == pytest.approx([0.41, 0.01])


@pytest.mark.parametrize(
    "outputs",
    [
        [np.zeros((1, 2, 4)), np.array([[[0.5, 0.1], [0.2, 0.9]]])],
        [np.array([[[0, 0, 0, 0, 0.5, 0.2], [0, 0, 0, 0, 0.1, 0.9]]])],
    ],
)
def test_confidences_of_both_forms_of_ppyoloe(outputs):
    found = ElementWeights(PP_YOLOE.rows, (), ()).confidences(
        [output.astype(np.float32) for output in outputs]
    )
    assert found.tolist() == pytest.approx([0.5, 0.9])


@pytest.mark.parametrize("decode", [Logits(kind="logits"), Undecoded(kind="none"), X])
def test_what_leads_to_no_known_rows_has_no_places(decode):
    net = Net(4, (1, 3, 4, 4))
    head = net.conv("x", 14)
    # Raw outputs that are the model's own tell nothing of rows, whatever the spec says.
    outputs = [head] if decode == X else [anchors(net, head, 2, 4)]
    assert places(net, outputs, decode) is None
