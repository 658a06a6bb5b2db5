"""What the tool takes apart, on a network of ours: it runs where the exporting package is not."""

from pathlib import Path

import numpy as np
import onnx

from fqbench.graph.ordering import head_of
from fqbench.verify.conversion import graph_runner
from tests.support.best_rows import best_rows
from tools.end_to_end_heads.compare import Decoding, Figures, Row, write_headless


def test_network_and_head_make_the_whole(tmp_path: Path) -> None:
    net, model = best_rows()
    onnx.save(model, str(tmp_path / "whole.onnx"))
    write_headless(tmp_path / "whole.onnx", tmp_path / "cut.onnx")
    image = net.image()
    (wanted,) = graph_runner(model, optimized=True)([image])
    cut = graph_runner(tmp_path / "cut.onnx", optimized=True)([image])
    assert [part.shape for part in cut] == [(1, 14, 256)]
    (rows,) = graph_runner(head_of(model), optimized=True)(cut)
    np.testing.assert_array_equal(rows, wanted)


def test_other_answers_and_rounded_orders_are_told() -> None:
    def found(rounded: int = 0, **changes: float) -> Figures:
        same = {"images": 2, "boxes": 600, "other": 0, "pixels": 3e-5, "scores": 0.0, "file": 0.0}
        row = Row("onnxruntime", "9 of 9", 2, rounded, 0.99, 0.99, 0.9, 0.9)
        return Figures("net", Decoding(**{**same, **changes}), (row,))

    assert found().right
    assert found().rows[0].texts[-1] == "0.9000"
    assert not found(rounded=1).right
    assert not found(other=1).right
    assert not found(boxes=0).right
    assert not found(pixels=0.1).right
