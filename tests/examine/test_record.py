"""What is kept of a run's images."""

from __future__ import annotations

import json
from pathlib import Path

from fqbench.examine.record import FILE, MOST, Broken, Changes, Examined, PartedImage, Picture
from fqbench.tasks.examination import OperatingPoint, Shift


def parted(name: str, loss: float, alike: float = 0.5) -> PartedImage:
    return PartedImage(name, 1.0, 1.0 - loss, alike, "this", "that", Picture("AA", "BB", 8, 6))


def kept(broken: Broken) -> dict[str, list[str]]:
    return {cell: [image.name for image in images] for cell, images in broken.cells.items()}


def test_each_cell_has_its_worst_before_one_has_its_second() -> None:
    images = tuple(parted(f"a{i}", 1.0) for i in range(3))
    broken = Broken({"a": images, "b": (parted("b0", 0.1), parted("b1", 0.0)), "c": ()})
    assert kept(broken.limited(3)) == {"a": ["a0", "a1"], "b": ["b0"], "c": []}
    assert kept(broken.limited(4)) == {"a": ["a0", "a1"], "b": ["b0", "b1"], "c": []}
    assert kept(broken.limited(1)) == {"a": ["a0"], "b": [], "c": []}


def test_a_run_keeps_no_more_than_its_worst() -> None:
    cells = {f"cell{c}": tuple(parted(f"{c} {i}", 1 / (i + 1)) for i in range(50)) for c in "abc"}
    found = Broken(cells).limited()
    assert sum(map(len, found.cells.values())) == MOST == 24
    assert {len(images) for images in found.cells.values()} == {8}


def test_models_are_limited_alike_in_whatever_order_they_are_done() -> None:
    one, two, three = (
        Broken({name: tuple(parted(f"{name}{i}", loss / (i + 1)) for i in range(20))})
        for name, loss in (("a", 0.3), ("b", 0.9), ("c", 0.6))
    )
    together = (one + two + three).limited()
    assert ((one + two).limited() + three).limited() == together


def test_a_step_s_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    point = OperatingPoint("score 0.25", 0.25, 3, 2, 1, None, None)
    shift = Shift(3, -0.1, 0.1, (0.85, 0.45), 0)
    changes = Changes(9, 2, 1, 0, "F1", "", "things", (point,), shift, "a.png")
    found = Examined(changes, (parted("a", 0.5), PartedImage("b", None, None, 0.1, "", "")))
    path = tmp_path / "examined.json"
    path.write_text(json.dumps(found.to_json(), allow_nan=False))
    assert Examined.read(path) == found


def test_file_of_a_run(tmp_path: Path) -> None:
    path = Broken({"cell": (parted("a", 0.5),)}).write(tmp_path, "now")
    assert path.name == FILE == "broken.json"
    content = json.loads(path.read_text())
    assert (content["schema"], content["created"]) == (1, "now")
    assert content["cells"]["cell"][0]["picture"] == {
        "fp32": "AA",
        "int8": "BB",
        "width": 8,
        "height": 6,
    }
