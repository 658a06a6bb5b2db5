"""HTML of pages: whatever names hold stays text, and nothing else may run or load."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from fqbench.errors import UsageError
from fqbench.measure.stats import Interval
from fqbench.report.html import drawing, render
from fqbench.report.html.datatable import table
from fqbench.report.html.page import page
from fqbench.report.html.plots import Mark, Plot, intervals
from tests.support.report_rows import ROWS, results, samples

HOSTILE = "<img src=x onerror=alert(1)>"
TEXTS = st.text(max_size=30) | st.sampled_from(
    [HOSTILE, "</script><script>alert(1)</script>", "\"'><svg onload=alert(1)>", "{{ 7*7 }}"]
)

DRAWN = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clippath"})


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def named(name: str, reason: str):
    """Results in which a model is called ``name`` and a cell failed for ``reason``."""
    rows = [replace(row, cell=replace(row.cell, model=name)) for row in ROWS]
    rows = [replace(row, reason=reason if row.reason else None) for row in rows]
    rows = [replace(row, dataset=name, calibration=reason, notes=(name,)) for row in rows]
    return results(rows), samples(rows)


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without pictures, which take long to draw."""
    monkeypatch.setattr(drawing, "draw", lambda plots: [Markup("<svg></svg>") for _ in plots])


@pytest.mark.usefixtures("undrawn")
class TestHostileText:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(name=TEXTS, reason=TEXTS)
    @example(name=HOSTILE, reason="</script><script>alert(1)</script>")
    def test_adds_no_element_and_no_attribute(self, name, reason):
        plain, hostile = (
            Elements(render.html(page(*named(*(f"x{text}" for text in texts)))))
            for texts in (("n", "r"), (name, reason))
        )
        assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
        # Those of cells depend on whether a text starts with a number, and is short.
        free = {"class", "data-key"}
        assert [a.keys() - free for _, a in hostile.found] == [
            a.keys() - free for _, a in plain.found
        ]

    def test_is_there_as_text(self):
        found = Elements(render.html(page(*named(HOSTILE, HOSTILE))))
        assert HOSTILE in found.text

    def test_a_value_that_is_missing_is_an_error(self):
        with pytest.raises(UndefinedError, match="has no attribute"):
            render.render("report.html.j2", None)


class TestPolicy:
    def test_allows_the_script_and_style_of_the_page_alone(self):
        html = render.html(page(results(()), samples(())))
        (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
        (style,) = re.findall(r"<style>(.*?)</style>", html, re.S)
        policy = next(
            attributes["content"]
            for tag, attributes in Elements(html).found
            if attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy is not None
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        for source, text in (("script-src", script), ("style-src", style)):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{source} 'sha256-{digest}';" in policy

    def test_nothing_is_asked_of_elsewhere(self):
        found = Elements(render.html(page(results(()), samples(())))).found
        loads = [a[key] for _, a in found for key in ("src", "href", "srcset") if key in a]
        assert all(str(each).startswith(("#", "data:")) for each in loads)
        assert not any("style" in a or any(k.startswith("on") for k in a) for _, a in found)


def plot_of(*labels: str) -> Plot:
    marks = [Mark((label,), Interval(1.0, 0.5, 1.5), label, label, note=label) for label in labels]
    return Plot(labels[0], labels[0], intervals(marks, "x"), table("t", ("a",), []))


def drawn(*labels: str) -> str:
    return str(drawing.draw([plot_of(*labels)])[0])


class TestDrawing:
    @pytest.mark.slow
    @settings(max_examples=3, deadline=None)
    @given(st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=6, max_size=6))
    @example([[HOSTILE, "</svg><script>alert(1)</script>"], ["\x00", "a\x1fb\x7f", "\ufffe\uffff"]])
    def test_labels_stay_text(self, many):
        pictures = drawing.draw([plot_of(*labels) for labels in many])
        found = [element for picture in pictures for element in Elements(str(picture)).found]
        assert len(pictures) == len(many)
        assert {tag for tag, _ in found} <= DRAWN
        for _, attributes in found:
            assert not any(name.startswith("on") or "href" in name for name in attributes)
            assert "style" not in attributes

    def test_marks_can_be_focused_and_say_what_they_are(self):
        found = Elements(drawn("one", HOSTILE)).found
        marks = [attributes for _, attributes in found if attributes.get("class") == "mark"]
        assert [mark["aria-label"] for mark in marks] == ["one", HOSTILE]
        assert {mark["tabindex"] for mark in marks} == {"-1"}
        assert found[0][1]["role"] == "graphics-document"
        assert found[0][1]["aria-label"] == "one"

    def test_colours_are_the_themes(self):
        assert 'fill="var(--series-0)"' in drawn("one")

    @pytest.mark.slow
    def test_a_plot_that_fails_spoils_no_other(self):
        broken = replace(plot_of("two"), spec={"mark": "<b>"})
        first, second = drawing.draw([plot_of("one"), broken])
        assert first.startswith("<svg")
        assert second.startswith('<p class="quiet">Not drawn: drawing failed')
        assert "<b>" not in second


class TestFile:
    def test_is_written_whole_or_not_at_all(self, tmp_path, monkeypatch):
        (tmp_path / "report.html").write_text("old")
        monkeypatch.setattr(render, "html", lambda shown: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            render.write(results(), samples(), tmp_path)
        assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]

    def test_of_another_run_is_removed(self, tmp_path):
        render.remove(tmp_path)
        (tmp_path / "report.html").write_text("old")
        render.remove(tmp_path)
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "report.html").mkdir()
        with pytest.raises(UsageError, match=r"cannot remove .*report\.html"):
            render.remove(tmp_path)
