"""What INT8 broke, thresholds and layers: what the sections say, and that names stay text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from fqbench.cells import Cell
from fqbench.examine.record import Broken, Changes, PartedImage, Picture
from fqbench.measure.int8_gain import Int8Gain, Part
from fqbench.measure.stats import Interval
from fqbench.report.html import broken, layers, render, threshold
from fqbench.report.html.page import page
from fqbench.results import Row
from fqbench.samples import Samples
from fqbench.tasks.examination import OperatingPoint, Shift
from fqbench.tune.choice import LayerCost
from tests.support.report_rows import results

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"

CHANGES = Changes(
    images=500,
    parted=32,
    worse=20,
    better=5,
    measure="F1 at IoU 0.5",
    measured_at="scores from 0.37 on",
    unit="detections",
    points=(
        OperatingPoint("score 0.25", 0.25, 900, 100, 50, 80, 10),
        OperatingPoint("score 0.50", 0.5, 0, 0, 1200, None, None),
    ),
    shift=Shift(1000, -0.031, 0.042, (0.85, 0.45), 7),
    shift_image="7.jpg",
)
LAYERS = (
    LayerCost("stem", 0.02, 0.1, 0.5, 0.2),
    LayerCost("head", 0.5, 0.2, 0.25, 0.375),
    LayerCost("tail", None, None, 0.1, None),
)
ROW = Row(
    Cell("net", "onnxruntime", "cpu", "int8"),
    "ok",
    metric="mAP",
    drop=Interval(1.0, 0.5, 1.5),
    convolutions=3,
    changes=CHANGES,
    layers=LAYERS,
    float_layers={"head": "rounding it costs too much accuracy"},
    float_operators={"2 Resize": "they only move values"},
)
FP32 = replace(ROW, cell=ROW.cell.baseline, drop=None, changes=None, layers=())
IMAGE = PartedImage("7.jpg", 1.0, 0.25, 0.4, "2 objects", "nothing", Picture("AA", "BB", 320, 240))


def rendered(**views: Any) -> str:
    """The sections, on a page where undefined names are errors."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fqbench.report.html"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = SimpleNamespace(**views)
    return "".join(environment.get_template(f"{name}.html.j2").render(page=page) for name in views)


class Elements(HTMLParser):
    """All elements with their attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


class TestBroken:
    BROKEN = Broken({ROW.cell.id: (IMAGE,)})

    def test_images_are_shown_side_by_side(self) -> None:
        view = broken.view([FP32, ROW], self.BROKEN)
        assert view is not None
        (cell,) = view.cells
        assert cell.summary == (
            "32 of 500 images part: INT8 answers 20 worse by their labels and 5 better. The worst"
            " is shown."
        )
        assert view.meaning == ("net: F1 at IoU 0.5, scores from 0.37 on",)
        (shown,) = cell.images
        assert (shown.fp32, shown.int8) == ("2 objects (score 1.00)", "nothing (score 0.25)")
        assert [drawn.source for drawn in shown.drawn] == [
            "data:image/jpeg;base64,AA",
            "data:image/jpeg;base64,BB",
        ]
        page = Elements(rendered(broken=view))
        assert [image["alt"] for image in page.all("img")] == [
            "7.jpg, FP32: 2 objects",
            "7.jpg, INT8: nothing",
        ]

    def test_an_image_that_cannot_be_read_says_why(self) -> None:
        gone = replace(IMAGE, picture=None, unreadable="cannot read image 7.jpg: No such file")
        view = broken.view([ROW], Broken({ROW.cell.id: (gone,)}))
        page = Elements(rendered(broken=view))
        assert "No picture: cannot read image 7.jpg: No such file." in page.text
        assert page.all("img") == []

    def test_without_labels_answers_are_compared(self) -> None:
        image = replace(IMAGE, fp32=None, int8=None)
        row = replace(ROW, changes=replace(CHANGES, worse=None, better=None))
        view = broken.view([row], Broken({row.cell.id: (image, image)}))
        assert view is not None
        assert view.cells[0].summary == "32 of 500 images part. The 2 worst are shown."
        assert view.cells[0].images[0].int8 == "nothing (40 % in common with FP32)"

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            (replace(ROW, changes=None, slowdown=1.2), "FP32 runs in its place"),
            (replace(ROW, changes=None), "could not be found out"),
            (replace(ROW, changes=replace(CHANGES, parted=0)), "answer all 500 images alike"),
            (ROW, "Others of this run are worse"),
        ],
    )
    def test_what_is_said_without_images(self, row: Row, says: str) -> None:
        view = broken.view([row], Broken())
        assert view is not None
        assert says in view.cells[0].summary

    def test_nothing_is_shown_without_int8_beside_fp32(self) -> None:
        assert broken.view([FP32, replace(ROW, drop=None, changes=None)], Broken()) is None


class TestThreshold:
    def test_flips_and_shifts(self) -> None:
        view = threshold.view([FP32, ROW])
        assert view is not None
        first, second = view.flips.rows
        assert first[3:6] == ("1000", "900 (90.0 %)", "100 (10.0 %)")
        assert first[6:] == ("80", "50 (5.0 %)", "10")
        assert second[3:] == ("0", "0", "0", "-", "1200", "-")
        (moved,) = view.moved.rows
        assert moved[1:] == ("1000", "-0.031", "0.042", "0.85 → 0.45", "7.jpg")
        page = Elements(rendered(threshold=view))
        assert len(page.all("caption")) == len(page.all("table")) == 2

    def test_answers_without_scores_have_no_second_table(self) -> None:
        view = threshold.view([replace(ROW, changes=replace(CHANGES, shift=None))])
        assert view is not None
        assert view.moved.rows == ()
        assert len(Elements(rendered(threshold=view)).all("table")) == 1

    def test_nothing_is_shown_where_nothing_was_looked_at(self) -> None:
        assert threshold.view([FP32, replace(ROW, changes=None)]) is None


class TestLayers:
    def test_layers_in_float_come_first(self) -> None:
        view = layers.view([FP32, ROW])
        assert view is not None
        (cell,) = view.cells
        assert cell.summary == (
            "1 of 3 layers stays in float: 1 since rounding it costs too much accuracy."
        )
        assert cell.lacking == "Not timed: 1 of 3 layers. Error not measured: 1 of 3 layers."
        head, stem, tail = cell.costs.rows
        assert head[:3] == ("head", "float", "rounding it costs too much accuracy")
        assert stem == ("stem", "INT8", "-", "0.500", "0.200", "+0.300", "0.02", "0.1", "1.50")
        assert (head[5], tail[5:]) == ("-0.125", ("-", "-", "-", "-"))

    def test_the_map_has_what_is_measured_only(self) -> None:
        view = layers.view([ROW])
        assert view is not None
        shown = view.cells[0].map
        assert shown is not None
        assert [(dot.in_float, dot.title) for dot in shown.dots] == [
            (False, "stem: saves +0.300 ms, own error 0.02"),
            (True, "head: saves -0.125 ms, own error 0.5"),
        ]
        stem, head = shown.dots
        # More error to the right, more time saved above; no time saved in between.
        assert 0 < stem.x < head.x < shown.width
        assert 0 < stem.y < shown.zero < head.y < shown.height
        assert (shown.left, shown.right) == ("1e-2", "1e0")
        page = Elements(rendered(layers=view))
        assert (len(page.all("circle")), len(page.all("rect"))) == (1, 1)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"layers": (), "float_layers": {}}, "Neither times nor errors of layers were taken."),
            ({"convolutions": None, "layers": ()}, "nothing is known of its layers"),
            ({"float_layers": {}}, "All 3 layers run in INT8."),
            ({"slowdown": 1.25}, "takes 1.25 times as long as FP32"),
            ({"layers": (LAYERS[2],)}, "Not timed: all layers. Error not measured: all layers."),
        ],
    )
    def test_what_is_not_known_is_said(self, changes: dict[str, Any], says: str) -> None:
        view = layers.view([replace(ROW, **changes)])
        assert view is not None
        assert says in f"{view.cells[0].summary} {view.cells[0].lacking}"

    def test_a_layer_that_nothing_is_known_of_is_named_with_why(self) -> None:
        view = layers.view([replace(ROW, layers=())])
        assert view is not None
        assert [line[0] for line in view.cells[0].costs.rows] == ["head"]
        assert view.cells[0].map is None

    def test_equal_errors_and_times_are_drawn(self) -> None:
        same = tuple(LayerCost(f"l{i}", 0.0, None, 0.1, 0.1) for i in range(2))
        view = layers.view([replace(ROW, layers=same)])
        assert view is not None
        assert view.cells[0].map is not None
        assert len(view.cells[0].map.dots) == 2

    def test_a_large_model_lists_its_worst(self) -> None:
        many = tuple(LayerCost(f"l{i}", None, i / 1e3, 0.1, 0.1) for i in range(500))
        view = layers.view([replace(ROW, layers=many)])
        assert view is not None
        (cell,) = view.cells
        assert cell.costs.caption.endswith("-int8, 40 of 501; all stand in results.json")
        assert [line[0] for line in cell.costs.rows][:2] == ["head", "l499"]
        assert len(cell.costs.rows) == 40

    def test_where_the_time_goes(self) -> None:
        gain = Int8Gain(Part(3, 2.0, 1.0), Part(), Part(), Part(), Part(), Part(2, 0.0, 0.25))
        view = layers.view([replace(ROW, int8_gain=gain)])
        assert view is not None
        assert view.cells[0].gain.rows == (
            ("layers that are faster in INT8", "3", "2.000", "1.000"),
            ("conversions", "2", "0.000", "0.250"),
        )

    def test_nothing_is_shown_without_int8(self) -> None:
        assert layers.view([FP32, replace(ROW, status="failed")]) is None


def test_sections_stand_on_the_page_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "drawings", lambda shown: defaultdict(lambda: Markup("<svg/>")))
    kept = Broken({ROW.cell.id: (IMAGE,)})
    found = Elements(render.html(page(results((FP32, ROW)), Samples(), broken=kept)))
    sections = [each["id"] for each in found.all("section")]
    first = sections.index("broken")
    assert sections[first : first + 3] == ["broken", "threshold", "layers"]
    links = {each["href"] for each in found.all("a")}
    assert {"#broken", "#threshold", "#layers"} <= links
    without = Elements(render.html(page(results((FP32,)), Samples())))
    assert {"broken", "threshold", "layers"}.isdisjoint(e["id"] for e in without.all("section"))


def test_untrusted_text_stays_text() -> None:
    point = replace(CHANGES.points[0], name=HOSTILE)
    changes = replace(CHANGES, measure=HOSTILE, unit=HOSTILE, points=(point,), shift_image=HOSTILE)
    row = replace(
        ROW,
        cell=Cell(HOSTILE, "onnxruntime", "cpu", "int8"),
        changes=changes,
        layers=(LayerCost(HOSTILE, 0.1, 0.1, 0.2, 0.1),),
        float_layers={HOSTILE: HOSTILE},
        float_operators={HOSTILE: HOSTILE},
    )
    picture = Picture(HOSTILE, HOSTILE, 1, 1)
    image = replace(IMAGE, name=HOSTILE, fp32_says=HOSTILE, int8_says=HOSTILE, picture=picture)
    unreadable = replace(image, picture=None, unreadable=HOSTILE)
    page = Elements(
        rendered(
            broken=broken.view([row], Broken({row.cell.id: (image, unreadable)})),
            threshold=threshold.view([row]),
            layers=layers.view([row]),
        )
    )
    # Only the two images of ours, and no attribute that is not ours.
    assert len(page.all("img")) == 2
    assert {name for _, attributes in page.found for name in attributes}.isdisjoint({"onerror"})
    assert all(str(each["src"]).startswith("data:image/jpeg;base64,") for each in page.all("img"))
    assert page.text.count(HOSTILE) > 15
