"""The page of the history, and the sentence about the last run."""

import re

import pytest

from fqbench.cli.main import main
from fqbench.history.reader import opened, since_last
from fqbench.history.records import Since
from fqbench.history.timeline import timeline
from fqbench.report.history import since_sentence
from fqbench.report.html import history as html
from fqbench.report.html.page import page as run_page
from fqbench.report.html.render import html as run_html
from fqbench.report.markdown import markdown
from fqbench.samples import Samples
from tests.support.kept_runs import (
    CELL,
    MACHINE,
    failed,
    keep,
    needs_ruptures,
    results,
    row,
    with_version,
)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FQBENCH_HISTORY", str(tmp_path / "history"))
    return tmp_path / "history"


def page(folder, pattern="*"):
    with opened(folder) as reader:
        found = [timeline(each) for each in reader.series(pattern, 100)]
        return html.page(found, reader.recent(20), reader.size(), "history.sqlite")


@needs_ruptures
def test_changes_stand_first_with_what_came_with_them(folder):
    for number in range(20):
        keep(folder, ms=2.0 * (1 + 0.001 * (number * 7 % 10)))
    for number in range(12):
        ms = 2.2 * (1 + 0.001 * (number * 7 % 10))
        keep(folder, ms=ms, machine=with_version("1.32.0"))
    found = page(folder)
    ((number, _, commit, cell, _, change, others),) = found.changes.rows
    assert (number, commit, cell, others) == ("21", "c" * 10, CELL, "onnxruntime 1.31.0 → 1.32.0")
    assert re.fullmatch(r"(9|10)\.\d % slower from here", change)
    (plot,) = found.plots
    assert "run 21" in plot.about
    assert found.cells.rows[0][-1] == "1, last in run 21"


def test_without_changes_it_says_so(folder):
    keep(folder)
    assert page(folder).changes.rows == ()


def test_no_more_is_drawn_than_is_looked_at(folder, monkeypatch):
    monkeypatch.setattr(html, "MOST_PLOTS", 1)
    keep(folder, row(), row(precision="fp32"))
    found = page(folder)
    assert (len(found.plots), found.left_out, len(found.cells.rows)) == (1, 1, 2)


def test_a_cell_that_never_ran_has_a_line_and_no_plot(folder):
    keep(folder, failed("it was killed"))
    found = page(folder)
    assert (found.plots, len(found.cells.rows)) == ((), 1)


def test_the_file_is_written_and_names_are_text(folder, tmp_path, capsys):
    name = "<img src=x onerror=alert(1)>"
    keep(folder, row(model=name), failed("</script><script>alert(2)</script>", model="other"))
    path = tmp_path / "history.html"
    assert main(["history", "--html", str(path)]) == 0
    text = path.read_text()
    assert f"Written: {path}" in capsys.readouterr().err.replace("\n", "")
    assert "&lt;img src=x onerror=alert(1)&gt;-onnxruntime-cpu-int8" in text
    assert "<img" not in text
    assert "alert(2)</script>" not in text
    assert text.count("<script>") == 1


def test_a_page_of_one_cell(folder, tmp_path):
    keep(folder, row(), row(precision="fp32"))
    path = tmp_path / "history.html"
    assert main(["history", CELL, "--html", str(path)]) == 0
    assert CELL in path.read_text()
    assert CELL.replace("int8", "fp32") not in path.read_text()


def test_a_page_that_cannot_be_written_is_one_sentence(folder, tmp_path, capsys):
    keep(folder)
    (tmp_path / "file").touch()
    assert main(["history", "--html", str(tmp_path / "file" / "history.html")]) == 2
    assert capsys.readouterr().err.startswith("fqbench: cannot write")


class TestSince:
    def test_what_differs_stands_in_the_report(self, folder):
        keep(folder, machine=with_version("1.30.0"))
        since = since_last(folder, MACHINE)
        told = (
            "Against the last run on this kind of machine (run 1 of 2026-01-01 03:04 UTC,"
            f" {'c' * 10}): onnxruntime 1.30.0 → 1.31.0."
        )
        assert since_sentence(since) == told
        assert f"- {told}" in markdown(results(row()), since)

    def test_it_stands_in_the_page_of_a_run(self, folder):
        keep(folder, machine=with_version("1.30.0"))
        shown = run_html(run_page(results(row()), Samples(), since_last(folder, MACHINE)))
        assert "Against the last run on this kind of machine (run 1 of" in shown
        changed = shown.partition("Against the last run")[2].partition("</table>")[0]
        assert re.findall(r">\s*([^<>]*1\.3[01]\.0[^<>]*?)\s*<", changed) == ["1.30.0", "1.31.0"]
        assert "Against the last run" not in run_html(run_page(results(row()), Samples()))

    def test_nothing_differs(self, folder):
        keep(folder)
        assert since_sentence(since_last(folder, MACHINE)).startswith("The environment is that of")

    def test_no_run_before(self, folder):
        assert since_sentence(since_last(folder, MACHINE)) is None
        assert "kind of machine" not in markdown(results(row()))

    def test_its_texts_add_no_markup(self, folder):
        keep(folder, machine=with_version("<b>1</b> | 2"))
        found = since_last(folder, MACHINE)
        assert isinstance(found, Since)
        assert "&lt;b&gt;1&lt;/b&gt; \\| 2" in markdown(results(row()), found)
