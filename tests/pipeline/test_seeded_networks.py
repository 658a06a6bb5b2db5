"""Every seeded network all the way: quantized, lowered, run and timed by each backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """``layers``: of the network; ``in_float``: those of them that are, by backend, with a part of
    why; ``alike``: the least agreement of INT8 with FP32."""

    layers: int
    alike: float
    in_float: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


EXPECTED = {
    "vit_seeded": Expected(14, 0.9),
    "yolov8_seeded": Expected(20, 0.9),
    "yolo_seg_seeded": Expected(28, 0.9),
    "yolov10_seeded": Expected(20, 0.9),
    "detr_seeded": Expected(21, 0.9),
    "heatmaps_seeded": Expected(12, 0.9),
    "semantic_seeded": Expected(19, 0.9),
    "text_line_seeded": Expected(12, 0.9),
}

ORDERED = {"yolov10_seeded", "detr_seeded"}
"""Networks that end in an order."""

REFUSED = {
    "text_line_seeded": "Paddle Inference models are made for one size of the image, and the spec"
    " leaves its width open: take the key free out of a spec for Paddle Inference"
}
"""What Paddle gets no program of, with the end of why."""


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


@pytest.mark.parametrize("backend", ["onnxruntime", pytest.param("openvino", marks=needs_openvino)])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_network_goes_all_the_way(name: str, backend: str, store: Path) -> None:
    with steps_here():
        model = prepared(name, store)
        fp32, int8 = rows_of(model, backend)
        written = load_graph(model.network(Cell(name, backend, "cpu", "int8")).path)
    check(name, fp32, int8)
    # The INT8 form is a graph here: nothing that an order depends on is rounded.
    nodes = [node for node in written.graph.node if node.name in ordering(Graph(written))]
    assert any(node.op_type in SORTING for node in nodes) == (name in ORDERED)
    assert [node.name for node in nodes if node.op_type in ROUNDING] == []


@pytest.mark.parametrize("name", EXPECTED)
def test_a_network_goes_all_the_way_on_paddle(
    name: str, on_paddle: Mapping[str, list[dict[str, Any]]]
) -> None:
    fp32, int8 = on_paddle[name]
    if name in REFUSED:
        for row in (fp32, int8):
            assert row["status"] == "failed"
            assert row["reason"].endswith(REFUSED[name])
    else:
        check(name, fp32, int8)


def check(name: str, fp32: Mapping[str, Any], int8: Mapping[str, Any]) -> None:
    """Both rows are measured; layers are in INT8, or in float with the reason that is expected."""
    wanted = EXPECTED[name]
    in_float = wanted.in_float.get(int8["backend"], {})
    assert (fp32["status"], fp32["reason"]) == (int8["status"], int8["reason"]) == ("ok", None)
    for row in (fp32, int8):
        assert row["latency_ms"]["p50"] > 0
        assert row["accuracy"] is None
        assert row["needs"] == "needs trained weights, of which this network has none"
    assert int8["convolutions"] == wanted.layers
    assert int8["float_layers"].keys() == in_float.keys()
    assert all(why in int8["float_layers"][layer] for layer, why in in_float.items())
    assert int8["int8_planned"] == wanted.layers - len(in_float) > 0
    assert int8["agreement"] > wanted.alike
