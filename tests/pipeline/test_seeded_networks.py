"""Every seeded network all the way: quantized, lowered, run and timed by each backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fqbench import zoo
from fqbench.cells import Cell
from fqbench.graph.graph import Graph
from fqbench.graph.ordering import SORTING, ordering
from fqbench.isolate.parent import _run, _Watch
from fqbench.steps.reading import load_graph
from tests.support.inline import steps_here
from tests.support.openvino import needs_openvino
from tests.support.paddle import require_paddle
from tests.support.seeded_functions import prepared, rows_of

pytestmark = pytest.mark.slow

ROUNDING = {"QuantizeLinear", "DequantizeLinear"}


@dataclass(frozen=True)
class Expected:
    """``layers``: convolutions and fully connected layers; ``int8``: how many run in integers, by
    backend; ``alike``: the least agreement of INT8 with FP32.

    Others are in float since what they read is: they come last, behind a transposed convolution, or
    average the bins of a distance.
    """

    layers: int
    int8: Mapping[str, int]
    alike: float


ORT, OPENVINO, PADDLE = "onnxruntime", "openvino", "paddle"

EXPECTED = {
    "vit_seeded": Expected(14, {ORT: 14, OPENVINO: 14, PADDLE: 1}, 0.97),
    "yolov8_seeded": Expected(20, {ORT: 19, OPENVINO: 20, PADDLE: 20}, 0.95),
    "yolo_seg_seeded": Expected(27, {ORT: 26, OPENVINO: 27, PADDLE: 27}, 0.93),
    "yolov10_seeded": Expected(20, {ORT: 19, OPENVINO: 20, PADDLE: 20}, 0.95),
    "detr_seeded": Expected(20, {ORT: 20, OPENVINO: 20, PADDLE: 5}, 0.9),
    "heatmaps_seeded": Expected(10, {ORT: 9, OPENVINO: 10, PADDLE: 10}, 0.98),
    "semantic_seeded": Expected(19, {ORT: 19, OPENVINO: 18, PADDLE: 17}, 0.97),
    "text_line_seeded": Expected(12, {ORT: 12, OPENVINO: 12}, 0.92),
}

_CONVOLUTIONS = "fqbench runs convolutions alone in INT8 on Paddle"

_ALONE = "what it reads is in float"

WHY_FLOAT = {
    **{(f"{name}_seeded", ORT): {_ALONE} for name in ("yolov8", "yolo_seg", "yolov10", "heatmaps")},
    ("semantic_seeded", OPENVINO): {"it reads an average, which would be rounded"},
    ("semantic_seeded", PADDLE): {
        "it reads an average, which would be rounded",
        "Paddle writes its sum with a value that is never negative",
    },
    ("vit_seeded", PADDLE): {_CONVOLUTIONS},
    ("detr_seeded", PADDLE): {_CONVOLUTIONS},
}
"""How the reasons of layers that stay in float begin."""

TRANSPOSED = {"heatmaps_seeded": "2 transposed convolution"}
"""What networks have beside layers that is in float on every backend."""

ORDERED = {"yolov10_seeded", "detr_seeded"}
"""Networks that end in an order."""

OPEN = "models are made for one size of the image, and the spec leaves its width open: take the"

REFUSED = {"text_line_seeded": OPEN}
"""Why a backend that is not in ``int8`` gets no INT8 model."""


def test_every_seeded_network_is_tried() -> None:
    assert tuple(EXPECTED) == zoo.seeded_names()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def on_paddle(store: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows by network: one process that imports Paddle takes all of them."""
    require_paddle()
    found: dict[str, list[dict[str, Any]]] = _run(
        "tests.support.seeded_functions:all_of",
        {"names": list(EXPECTED), "backend": "paddle", "store": str(store)},
        {"OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"},
        _Watch("the test", timeout_s=600),
    )
    return found


@pytest.mark.parametrize("backend", [ORT, pytest.param(OPENVINO, marks=needs_openvino)])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_network_goes_all_the_way(name: str, backend: str, store: Path) -> None:
    with steps_here():
        model = prepared(name, store)
        rows = rows_of(model, backend)
        check(name, backend, rows)
        if backend not in EXPECTED[name].int8:
            return
        written = load_graph(model.network(Cell(name, backend, "cpu", "int8")).path)
    # The INT8 form is a graph here: nothing that an order depends on is rounded.
    nodes = [node for node in written.graph.node if node.name in ordering(Graph(written))]
    assert any(node.op_type in SORTING for node in nodes) == (name in ORDERED)
    assert [node.name for node in nodes if node.op_type in ROUNDING] == []


@pytest.mark.parametrize("name", EXPECTED)
def test_a_network_goes_all_the_way_on_paddle(
    name: str, on_paddle: Mapping[str, list[dict[str, Any]]]
) -> None:
    check(name, PADDLE, on_paddle[name])


def check(name: str, backend: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Both rows are measured, with as many layers in INT8 as expected; or refused, where no form of
    the network is expected."""
    wanted, (fp32, int8) = EXPECTED[name], rows
    if backend not in wanted.int8:
        assert int8["status"] == "failed"
        assert REFUSED[name] in int8["reason"]
        return
    assert (fp32["status"], fp32["reason"]) == (int8["status"], int8["reason"]) == ("ok", None)
    for row in rows:
        assert row["latency_ms"]["p50"] > 0
        assert row["accuracy"] is None
        assert row["needs"] == "needs trained weights, of which this network has none"
    assert int8["convolutions"] == wanted.layers
    assert int8["int8_planned"] == wanted.int8[backend]
    assert len(int8["float_layers"]) == wanted.layers - wanted.int8[backend]
    assert name not in TRANSPOSED or TRANSPOSED[name] in int8["float_operators"]
    reasons = WHY_FLOAT.get((name, backend), set())
    told = set(int8["float_layers"].values())
    assert len(told) == len(reasons)
    assert all(any(text.startswith(reason) for text in told) for reason in reasons)
    assert int8["agreement"] > wanted.alike
