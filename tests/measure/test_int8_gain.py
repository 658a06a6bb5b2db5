"""Where INT8 saves time and where not, of nodes made by hand and of the runtimes' own profiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.backends.node_times import NodeTime
from fqbench.measure.int8_gain import Int8Gain, Part, int8_gain


def layer(name: str | None, ms: float, **values: bool) -> NodeTime:
    return replace(NodeTime("Conv", "layer", name, False, False, ms), **values)


def other(kind: str, role: str, ms: float) -> NodeTime:
    return NodeTime(kind, role, None, False, False, ms)  # type: ignore[arg-type]


FP32 = (
    layer("dense", 4.0),
    layer("pointwise", 1.0),
    layer("deep", 1.0, depthwise=True),
    layer("last", 0.5),
    other("Sigmoid", "operator", 2.0),
)
INT8 = (
    other("QuantizeLinear", "conversion", 0.25),
    layer("dense", 1.0, integers=True),
    layer("pointwise", 0.96, integers=True),
    layer("deep", 1.5, depthwise=True, integers=True),
    layer("last", 0.5),
    other("Sigmoid", "operator", 2.25),
    other("DequantizeLinear", "conversion", 0.5),
)


def test_every_part() -> None:
    found = int8_gain(FP32, INT8)
    assert found == Int8Gain(
        faster=Part(1, 4.0, 1.0),
        depthwise=Part(1, 1.0, 1.5),
        no_faster=Part(1, 1.0, 0.96),
        in_float=Part(1, 0.5, 0.5),
        operators=Part(1, 2.0, 2.25),
        conversions=Part(2, 0.0, 0.75),
    )
    assert found.total == Part(7, 8.5, 6.96)


def test_a_layer_of_several_nodes_is_one() -> None:
    halves = (layer("dense", 0.5, integers=True), layer("dense", 0.25, integers=True))
    assert int8_gain(FP32[:1], halves).faster == Part(1, 4.0, 0.75)


def test_layers_of_unknown_names_are_compared_together() -> None:
    fp32 = (layer("dense", 4.0), layer(None, 1.0), layer("gone", 1.0))
    int8 = (layer("dense", 1.0, integers=True), layer("new", 0.5, integers=True))
    assert int8_gain(fp32, int8).faster == Part(3, 6.0, 1.5)


def test_nothing_is_no_time() -> None:
    assert int8_gain((), ()).total == Part()


NODES = st.lists(
    st.builds(
        NodeTime,
        st.just("kind"),
        st.sampled_from(["layer", "conversion", "operator"]),
        st.sampled_from([None, "a", "b", "c"]),
        st.booleans(),
        st.booleans(),
        st.floats(0.0, 1e3),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=50)
@given(NODES, NODES)
def test_no_time_is_lost(fp32: list[NodeTime], int8: list[NodeTime]) -> None:
    total = int8_gain(fp32, int8).total
    assert total.fp32_ms == pytest.approx(sum(node.ms for node in fp32))
    assert total.int8_ms == pytest.approx(sum(node.ms for node in int8))
