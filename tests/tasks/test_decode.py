from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fqbench.errors import StepError, UsageError
from fqbench.isolate.parent import _run, _Watch
from fqbench.tasks.classification.decode import Logits
from fqbench.tasks.decoding import decoder
from fqbench.tasks.detection import decode as decode_module
from fqbench.tasks.detection import suppression
from fqbench.tasks.detection.answers import Detections
from fqbench.tasks.detection.settings import PPYoloe, YoloV5, YoloX
from fqbench.tasks.shared import PythonDecoder
from fqbench.vision.geometry import Geometry
from tests.support.paddle import needs_paddle

SAME = Geometry((100, 200), (1.0, 1.0), (0.0, 0.0))
HALF = Geometry((100, 200), (0.5, 0.5), (10.0, 0.0))
"""An image of 100x200 at half its size, ten pixels below the top."""


def _floats(*rows: Any) -> np.ndarray:
    return np.array(rows, np.float32)


def _decode(decode: Any, *outputs: np.ndarray, geometry: Geometry = SAME) -> Detections:
    answer = decoder(decode, (64, 64))(outputs, geometry)
    assert isinstance(answer, Detections)
    return answer


# cx, cy, w, h, objectness, one score for each of three classes
ROWS = _floats([20, 20, 10, 20, 0.5, 0.8, 0.6, 0.0], [80, 20, 10, 10, 0.9, 0.0, 0.0, 1.0])[None]


def test_yolov5_takes_every_class_of_a_row() -> None:
    found = _decode(YoloV5(kind="yolov5"), ROWS)
    np.testing.assert_allclose(found.scores, [0.9, 0.4, 0.3])
    assert found.labels.tolist() == [2, 0, 1]
    assert found.boxes.tolist() == [[75, 15, 85, 25], [15, 10, 25, 30], [15, 10, 25, 30]]
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_yolov5_takes_the_best_class_where_told() -> None:
    found = _decode(YoloV5(kind="yolov5", multi_label=False), ROWS)
    assert found.labels.tolist() == [2, 0]


def test_yolov5_maps_boxes_to_the_image_and_cuts_them_there() -> None:
    rows = _floats([20, 20, 10, 20, 1, 1], [5, 10, 20, 10, 1, 0.5])[None]
    found = _decode(YoloV5(kind="yolov5"), rows, geometry=HALF)
    assert found.boxes.tolist() == [[30, 0, 50, 40], [0, 0, 30, 10]]


def test_a_class_is_compared_with_no_other() -> None:
    rows = _floats([50, 50, 20, 20, 1, 0.9, 0.8], [51, 50, 20, 20, 1, 0.5, 0.7])[None]
    found = _decode(YoloV5(kind="yolov5"), rows)
    # IoU 19/21: of each class the better remains, though the boxes of the two are the same.
    assert found.labels.tolist() == [0, 1]
    assert found.boxes[:, 0].tolist() == [40, 40]


def test_boxes_are_compared_before_they_are_cut() -> None:
    # Far beyond the left border they differ, inside the image they are the same.
    rows = _floats([0, 50, 20, 20, 1, 0.9], [-40, 50, 100, 20, 1, 0.8])[None]
    assert len(_decode(YoloV5(kind="yolov5"), rows).scores) == 2


def test_a_score_must_be_above_the_threshold() -> None:
    found = _decode(YoloV5(kind="yolov5", score=0.5), _floats([9, 9, 9, 9, 1, 0.5, 0.75])[None])
    assert found.labels.tolist() == [1]


def test_at_most_max_boxes_remain() -> None:
    assert _decode(YoloV5(kind="yolov5", max_boxes=2), ROWS).labels.tolist() == [2, 0]


def test_only_the_best_candidates_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression, "CANDIDATES", 2)
    assert _decode(YoloV5(kind="yolov5"), ROWS).labels.tolist() == [2, 0]


@pytest.mark.parametrize("rows", [0, 3])
def test_nothing_found_is_an_empty_answer(rows: int) -> None:
    found = _decode(YoloV5(kind="yolov5"), np.zeros((1, rows, 7), np.float32))
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


def test_yolox_decodes_cells_of_each_stride() -> None:
    decode = YoloX(kind="yolox", strides=(32, 64))
    # Grids of 2x2 and 1x1 cells: row 1 is the cell x 1, y 0 of stride 32, row 4 of stride 64.
    rows = np.zeros((1, 5, 6), np.float32)
    rows[0, 1] = [0.5, 0.25, np.log(0.5), 0, 1, 0.9]
    rows[0, 4] = [0.5, 0.5, 0, np.log(0.25), 1, 0.8]
    found = _decode(decode, rows)
    # Centre (1.5 * 32, 0.25 * 32), size 16x32; centre (32, 32), size 64x16. Not cut at the
    # image's border, as YOLOX's own evaluation does not.
    np.testing.assert_allclose(found.boxes, [[40, -8, 56, 24], [0, 24, 64, 40]], rtol=1e-5)


def test_yolox_survives_a_size_beyond_all_bounds() -> None:
    rows = np.zeros((1, 1, 6), np.float32)
    rows[0, 0] = [0, 0, 500, 500, 1, 1]
    found = _decode(YoloX(kind="yolox", strides=(64,)), rows)
    assert np.isfinite(found.boxes).all()


def test_yolox_tells_that_the_strides_do_not_fit() -> None:
    with pytest.raises(
        StepError, match=r"has 5 rows, expected 84 for decode.strides \[8, 16, 32\]"
    ):
        _decode(YoloX(kind="yolox"), np.zeros((1, 5, 6), np.float32))


def test_ppyoloe_rows_after_nms_are_in_image_pixels_already() -> None:
    # label, score, x1, y1, x2, y2, sorted by label as Paddle does, filled up beyond the count
    rows = _floats(
        [0, 0.3, 1, 2, 3, 4],
        [1, 0.9, 50, 50, 300, 60],
        [2, 0.0005, 0, 0, 9, 9],
        [2, 0.8, 0, 0, 9, 9],
    )
    found = _decode(PPYoloe(kind="ppyoloe"), rows, np.array([3], np.int32), geometry=HALF)
    assert found.labels.tolist() == [1, 0]
    # As PaddleDetection evaluates them, not cut at the image's border.
    assert found.boxes.tolist() == [[50, 50, 300, 60], [1, 2, 3, 4]]


def test_ppyoloe_keeps_the_best_rows_not_the_first_classes() -> None:
    rows = _floats([0, 0.3, 1, 2, 3, 4], [1, 0.9, 5, 5, 8, 8])
    found = _decode(PPYoloe(kind="ppyoloe", max_boxes=1), rows, np.array([2]))
    assert found.labels.tolist() == [1]


def test_ppyoloe_with_no_detection_is_an_empty_answer() -> None:
    found = _decode(PPYoloe(kind="ppyoloe"), -np.ones((1, 6), np.float32), np.array([0]))
    assert found.boxes.shape == (0, 4)


def test_ppyoloe_boxes_before_nms_are_in_image_pixels() -> None:
    boxes = _floats([10, 10, 20, 20], [10, 10, 20, 21], [30, 30, 40, 40])[None]
    scores = _floats([0.9, 0.8, 0.0], [0.0, 0.0, 0.7])[None]
    found = _decode(PPYoloe(kind="ppyoloe"), boxes, scores, geometry=HALF)
    assert found.boxes.tolist() == [[10, 10, 20, 20], [30, 30, 40, 40]]
    assert found.labels.tolist() == [0, 1]


def test_ppyoloe_without_any_post_processing_is_in_input_pixels() -> None:
    rows = _floats([10, 20, 20, 30, 0.9, 0.0], [30, 30, 40, 40, 0.0, 0.7])[None]
    found = _decode(PPYoloe(kind="ppyoloe"), rows, geometry=HALF)
    assert found.boxes.tolist() == [[20, 20, 40, 40], [60, 40, 80, 60]]


def test_ppyoloe_compares_the_best_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "CANDIDATES_OF_A_CLASS", 2)
    boxes = _floats(*([20 * i, 0, 20 * i + 9, 9] for i in range(4)))[None]
    scores = _floats([0.9, 0.8, 0.7, 0.6], [0.0, 0.1, 0.3, 0.2])[None]
    found = _decode(PPYoloe(kind="ppyoloe"), boxes, scores)
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.boxes[:, 0].tolist() == [0, 20, 40, 60]


def test_ppyoloe_keeps_the_first_class_of_equal_scores() -> None:
    boxes = _floats([0, 0, 9, 9], [20, 0, 29, 9])[None]
    scores = _floats([0.0, 0.5], [0.5, 0.0])[None]
    found = _decode(PPYoloe(kind="ppyoloe", max_boxes=1), boxes, scores)
    assert found.labels.tolist() == [0]


def _random_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes [1, n, 4] and scores [1, classes, n]; those of every other case repeat."""
    rng = np.random.default_rng(5)
    cases = []
    for number, (boxes, classes) in enumerate([(3000, 2), (3000, 3), (50, 4), (400, 80), (1, 1)]):
        corners = rng.uniform(0, 400, (1, boxes, 2))
        sizes = rng.uniform(20, 200, (1, boxes, 2))
        scores = rng.uniform(0, 1, (1, classes, boxes))
        scores = np.round(scores, 2) if number % 2 else scores**4
        placed = np.concatenate([corners, corners + sizes], axis=2)
        cases.append((placed.astype(np.float32), scores.astype(np.float32)))
    return cases


def _crowded_case() -> tuple[np.ndarray, np.ndarray]:
    """996 boxes in one place, and eight of lower scores apart: four are among the best 1000."""
    boxes = [[0, 0, 50, 50]] * 996 + [[100 * i, 100, 100 * i + 50, 150] for i in range(8)]
    return _floats(boxes), np.linspace(0.9, 0.1, 1004, dtype=np.float32)[None, None]


@pytest.mark.slow
@needs_paddle
def test_ppyoloe_does_what_paddles_own_operator_does(tmp_path: Path) -> None:
    cases = [*_random_cases(), _crowded_case()]
    named = {}
    for number, (boxes, scores) in enumerate(cases):
        named |= {f"boxes_{number}": boxes, f"scores_{number}": scores}
    np.savez(tmp_path / "cases.npz", **named)
    # The child looks for modules where this process does: the root of the repository.
    _run(
        "tests.support.paddle_nms:multiclass_nms",
        {
            "cases": str(tmp_path / "cases.npz"),
            "found": str(tmp_path / "found.npz"),
            # As configs/ppyoloe/_base_/ppyoloe_crn.yml of PaddleDetection has them.
            "attributes": {
                "score_threshold": 0.01,
                "nms_threshold": 0.6,
                "nms_top_k": 1000,
                "keep_top_k": 100,
                "nms_eta": 1.0,
            },
        },
        {"OMP_NUM_THREADS": "1"},
        _Watch("the test", timeout_s=120),
    )
    paddle = np.load(tmp_path / "found.npz")
    decode = PPYoloe(kind="ppyoloe", score=0.01, iou=0.6, max_boxes=100)
    kept = []
    for number, (boxes, scores) in enumerate(cases):
        ours = _decode(decode, boxes, scores)
        theirs = _decode(decode, paddle[f"rows_{number}"], paddle[f"count_{number}"])
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
        kept.append(len(ours.labels))
    assert kept[0] == kept[1] == kept[3] == 100
    assert kept[5] == 5


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1), (1, 1, 4)])
def test_logits_name_the_greatest(shape: tuple[int, ...]) -> None:
    outputs = [_floats(-np.inf, 3, 5, 1).reshape(shape)]
    found = decoder(Logits(kind="logits"), (8, 8))(outputs, SAME)
    assert found.label == 2
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-2) + np.exp(-4)), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.25, 0.75, 0.0), 0.75),
        # Probabilities that INT8 has rounded, their sum 0.97.
        ((0.22, 0.75, 0.0), 0.75),
        # Logits that are none below zero.
        ((0.0, np.log(3.0)), 0.75),
        # Logarithms of probabilities, one of them 0.
        ((-np.inf, np.log(0.75), np.log(0.25)), 0.75),
        ((1e4, 0.0), 1.0),
    ],
)
def test_probability_of_the_greatest(values: tuple[float, ...], expected: float) -> None:
    found = decoder(Logits(kind="logits"), (8, 8))([_floats(*values)[None]], SAME)
    assert found.probability == pytest.approx(expected)


def test_an_infinite_logit_has_no_probability() -> None:
    found = decoder(Logits(kind="logits"), (8, 8))([_floats(np.inf, 0.0)[None]], SAME)
    assert found.label == 0
    assert np.isnan(found.probability)


@pytest.mark.parametrize(
    ("decode", "shapes", "message"),
    [
        (Logits(kind="logits"), [(2, 4)], r"\[2, 4\], expected one output \[1, classes\]"),
        (Logits(kind="logits"), [(1, 4, 2)], r"\[1, 4, 2\], expected one output"),
        (Logits(kind="logits"), [(1, 0)], r"\[1, 0\], expected one output"),
        (Logits(kind="logits"), [], "the shapes none, expected one output"),
        (YoloV5(kind="yolov5"), [(1, 9, 5)], r"\[1, 9, 5\], expected one output \[1, n, 5 \+ cl"),
        (YoloV5(kind="yolov5"), [(2, 9, 6)], r"\[2, 9, 6\], expected"),
        (YoloX(kind="yolox"), [(1, 9, 6), (1, 2)], r"\[1, 9, 6\] and \[1, 2\], expected one"),
        (PPYoloe(kind="ppyoloe"), [(1, 9, 4), (1, 3, 8)], r"\[1, 9, 4\] and \[1, 3, 8\], expected"),
        (PPYoloe(kind="ppyoloe"), [(9, 5), (1,)], r"expected \[n, 6\] and a count, \[1, n, 4\]"),
        (PPYoloe(kind="ppyoloe"), [(1, 9, 4)], r"\[1, 9, 4\], expected"),
    ],
)
def test_a_wrong_shape_is_told(decode: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    outputs = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(StepError, match=message):
        decoder(decode, (64, 64))(outputs, SAME)


@pytest.mark.parametrize(
    ("decode", "shapes"),
    [
        (Logits(kind="logits"), [(1, 3)]),
        (YoloV5(kind="yolov5"), [(1, 2, 7)]),
        (YoloX(kind="yolox", strides=(64,)), [(1, 1, 7)]),
        (PPYoloe(kind="ppyoloe"), [(1, 2, 4), (1, 3, 2)]),
        (PPYoloe(kind="ppyoloe"), [(1, 2, 7)]),
    ],
)
def test_nan_is_an_error_wherever_it_stands(decode: Any, shapes: list[tuple[int, ...]]) -> None:
    for broken in range(len(shapes)):
        outputs = [np.zeros(shape, np.float32) for shape in shapes]
        outputs[broken].flat[-1] = np.nan
        with pytest.raises(StepError, match="the model's output holds NaN"):
            decoder(decode, (64, 64))(outputs, SAME)


def test_a_box_that_becomes_infinite_in_the_image_is_an_error() -> None:
    rows = _floats([0, 0, 3e38, 9, 0.5])[None]
    with pytest.raises(StepError, match="NaN or infinite values"):
        _decode(PPYoloe(kind="ppyoloe"), rows, geometry=HALF)


def test_an_infinite_box_is_an_error() -> None:
    with pytest.raises(StepError, match="NaN or infinite values"):
        _decode(YoloV5(kind="yolov5"), _floats([np.inf, 1, 1, 1, 1, 1])[None])


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("some_decoder")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def _own(function: str = "some_decoder:decode", *, allow_code: bool = True) -> Any:
    return decoder(PythonDecoder(kind="python", function=function), (8, 8), allow_code=allow_code)


def test_code_of_the_user_is_not_even_imported_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaves_a_trace.py").write_text("open('trace', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"'leaves_a_trace:f' runs code .* --allow-code"):
        _own("leaves_a_trace:f", allow_code=False)
    assert not (tmp_path / "trace").exists()


def test_code_that_cannot_be_imported_is_told(module: ModuleType) -> None:
    with pytest.raises(UsageError, match="'no_such_module:f' cannot be imported: No module"):
        _own("no_such_module:f")
    with pytest.raises(UsageError, match="'some_decoder:decode' cannot be imported"):
        _own()
    module.decode = 3  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="'some_decoder:decode' is not a function"):
        _own()


def test_code_of_the_user_answers(module: ModuleType) -> None:
    def decode(outputs: list[np.ndarray], geometry: Geometry) -> Detections | int:
        return Detections(geometry.to_image(outputs[0]), np.array([1.0]), np.array([3]))

    module.decode = decode  # type: ignore[attr-defined]
    found = _own()([_floats([1, 11, 2, 12])], HALF)
    assert found.boxes.tolist() == [[2, 2, 4, 4]]
    assert (found.scores.dtype, found.labels.dtype) == (np.float32, np.int64)
    module.decode = lambda outputs, geometry: np.int64(7)  # type: ignore[attr-defined]
    assert _own()([], HALF).label == 7


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("cat", "returned str, expected ClassMap, Detections, Instances, Poses, TopClass or Word"),
        (
            Detections(_floats([1, 2, 3, 4]), _floats(1, 1), np.array([0])),
            r"\[\[1, 4\], \[2\], \[1",
        ),
        (
            Detections(_floats(), _floats(), np.array([])),
            r"\[\[0\], \[0\], \[0\]\], expected \[n, 4",
        ),
        (Detections(_floats([1, 2, 3, np.nan]), _floats(1), np.array([0])), "returned NaN"),
    ],
)
def test_a_wrong_answer_of_the_users_code_is_told(
    module: ModuleType, answer: Any, message: str
) -> None:
    module.decode = lambda outputs, geometry: answer  # type: ignore[attr-defined]
    with pytest.raises(StepError, match=message):
        _own()([], SAME)
