"""Ids of cells in the terminal are whole, each on one line, at every width."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from fqbench.gate.verdict import Decision, GateReport
from fqbench.report import gate_terminal
from fqbench.report.ids import print_by_id
from tests.support.verdicts import SLOWER

LONG = "picodet_s_416_coco_lcnet_without_nms-onnxruntime-cpu-int8@paddleslim_published"


def printed(width: int, *rows: tuple[str, ...], columns: tuple[str, ...]) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO())
    texts = [[Text(text) for text in row] for row in rows]
    print_by_id(columns, texts, console, numbers=columns[1:2], texts=columns[2:])
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_other_columns_give_way_first() -> None:
    lines = printed(42, ("a-net-cpu-int8", "1.50", "slower than it was"), columns=("C", "ms", "V"))
    assert lines[2:] == [" a-net-cpu-int8   1.50   slower than it", " " * 25 + "was"]


def test_a_cell_takes_two_lines_where_that_does_not_help() -> None:
    lines = printed(30, (LONG, "1.50", "slower"), ("b", "20.00", "same"), columns=("C", "ms", "V"))
    assert lines == ["     ms  V", LONG, "   1.50  slower", "b", "  20.00  same"]


NAMES = st.text("abc-_@", min_size=1, max_size=90)


@settings(deadline=None)
@given(st.integers(20, 140), st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_every_id_is_whole_at_every_width(width: int, names: list[str]) -> None:
    rows = [(name, "12.34", "not measured again since it could not run") for name in names]
    lines = printed(width, *rows, columns=("Cell", "ms", "Verdict"))
    # As words of lines: no other text has letters, hyphens and nothing else.
    words = [word for line in lines for word in line.split()]
    assert all(name in words for name in names)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_gate_breaks_no_id(width: int) -> None:
    slower = replace(SLOWER, cell=LONG)
    other = replace(slower, cell="net-paddle-cpu-int8", again=True)
    console = Console(record=True, width=width, file=io.StringIO())
    report = GateReport("base", "head", Decision((slower, other)))
    gate_terminal.show(report, console, verbose=False)
    lines = console.export_text().splitlines()
    for cell in (LONG, "net-paddle-cpu-int8"):
        assert any(cell in line for line in lines)
    assert any("12.0 %" in line and "2.24" in line and "2.00" in line for line in lines)
