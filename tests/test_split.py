"""Where the time of an inference on a GPU goes, in words and figures."""

import json

import pytest

from fqbench.backends import Split
from fqbench.cells import Cell
from fqbench.measure.split import medians
from fqbench.report import split
from fqbench.results import Row

PARTS = Split(0.25, 1.5, 0.125)


def test_total_is_the_sum_of_the_parts():
    assert PARTS.total == 1.875


def test_medians_are_those_of_each_part():
    found = medians([Split(1, 5, 9), Split(2, 4, 7), Split(3, 6, 8)])
    assert found == Split(2, 5, 8)
    assert found.total == 15


def row(precision="int8", **facts):
    return Row(Cell("net", "tensorrt", "gpu", precision), "ok", **facts)


def test_table_has_a_line_for_each_cell_whose_parts_are_known():
    shown = split.split([row("fp32"), row(batch=8, split=PARTS)])
    assert shown == (("net", "TensorRT", "INT8", "8", "0.250", "1.500", "0.125", "1.875", "4267"),)
    assert len(split.COLUMNS) == len(shown[0])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (None, None),
        (
            PARTS,
            {"host_to_device": 0.25, "compute": 1.5, "device_to_host": 0.125, "total": 1.875},
        ),
    ],
)
def test_rows_hold_the_parts_in_milliseconds(parts, expected):
    assert json.loads(json.dumps(row(split=parts).to_json()))["split_ms"] == expected


def test_rows_say_how_many_images_an_inference_was_of():
    assert row().to_json()["batch"] == 1
    assert row(batch=8).to_json()["batch"] == 8
