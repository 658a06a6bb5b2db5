"""Pages in a browser, opened from disk as a reader does."""

import os
import shutil
from dataclasses import replace

import pytest

from fqbench.gate.evidence import Tolerances
from fqbench.gate.verdict import Decision, GateReport, Verdict
from fqbench.history.reader import opened as history_opened
from fqbench.history.timeline import timeline
from fqbench.measure.stats import Interval
from fqbench.report.html import gate, history, render
from tests.support import kept_runs
from tests.support.report_rows import INSIDE, ROWS, against, results, row, samples

pytestmark = pytest.mark.slow

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

TIMEOUT_MS = 300_000
"""Of each action: a machine that does much else takes long to start a browser."""

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no chromium: install it, as with apt-get install chromium")
    # A sandbox needs more than containers allow; root has none at all.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=CHROMIUM, args=arguments, timeout=TIMEOUT_MS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The page of a run in which one of two models has a name that would run code."""
    hostile = [
        replace(each, cell=replace(each.cell, model=HOSTILE), best_float=None) for each in ROWS
    ]
    first = against(row("onnxruntime", "fp32", 12.0, model="b_net"), *[])
    second = replace(INSIDE, cell=replace(INSIDE.cell, model="b_net"), best_float=None)
    rows = (*hostile, *first, second)
    return render.write(results(rows), samples(rows), tmp_path_factory.mktemp("page"))


@pytest.fixture
def opened(browser, file):
    """The page, and what it asked for and wrote to the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    context.set_default_timeout(TIMEOUT_MS)
    page, seen = context.new_page(), []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: (seen.append("a dialog"), dialog.dismiss()))
    page.goto(file.as_uri())
    yield page
    assert seen == [file.as_uri()]
    context.close()


def violations(page) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {[node['html'][:200] for node in v['nodes'][:3]]}" for v in found]


def column(page, number: int) -> list[str]:
    return page.locator(f"#figures tbody tr:not([hidden]) > :nth-child({number})").all_inner_texts()


def test_names_stay_text(opened):
    assert opened.locator("img").count() == 0
    assert HOSTILE in column(opened, 1)
    mark = opened.locator(".picture .mark").first
    mark.hover()
    assert opened.locator("#tip").inner_text().startswith("ONNX Runtime FP32")


def test_tables_are_sorted_by_value_without_a_mouse(opened):
    head = opened.locator("#figures th", has_text="INT8 ms")
    head.locator("button").focus()
    opened.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    # What has no number comes last, either way.
    assert column(opened, 5) == ["3.00", "4.00", "4.00", "failed"]
    opened.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(opened, 5) == ["4.00", "4.00", "3.00", "failed"]
    assert "descending" in opened.locator("#said").inner_text()


def test_rows_are_filtered_by_words(opened):
    opened.get_by_label("Show rows that contain").fill("b_net onnx")
    assert column(opened, 1) == ["b_net"]
    assert opened.locator("#count").inner_text() == "1 of 4 rows"
    opened.get_by_label("Show rows that contain").fill("")
    assert len(column(opened, 1)) == 4


def test_marks_say_what_they_are_on_arrow_keys(opened):
    picture = opened.locator(".picture").first
    picture.locator(".mark[tabindex='0']").focus()
    first = opened.locator("#tip").inner_text()
    opened.keyboard.press("ArrowRight")
    second = opened.locator("#tip").inner_text()
    assert first != second
    assert "ms" in second
    opened.keyboard.press("Escape")
    assert opened.locator("#tip").is_hidden()


def test_the_theme_is_the_systems_until_it_is_chosen(opened):
    button = opened.get_by_role("button", name="Dark theme")
    light = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert button.get_attribute("aria-pressed") == "false"
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    dark = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    button.press("Enter")
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_a_screen_reader_can_read_it(opened):
    for details in opened.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    assert violations(opened) == []
    opened.get_by_role("button", name="Dark theme").press("Enter")
    assert violations(opened) == []
    # And it would be noticed if it could not.
    opened.evaluate("document.querySelector('label').remove()")
    assert any(each.startswith("label: ") for each in violations(opened))


def test_what_it_could_be_made_to_load_is_refused(browser, file):
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    page.evaluate(
        "() => new Promise((done) => { const image = new Image(); image.onerror = done;"
        " image.src = 'https://example.invalid/x.png'; document.body.append(image); })"
    )
    page.wait_for_function("() => true")
    assert any("Content Security Policy" in each for each in said)
    page.close()


BESIDE = "document.querySelector('.scroll:has(#figures)')"

SHOWN = f"""() => {{
  const box = {BESIDE}.getBoundingClientRect();
  return [...document.querySelectorAll("#figures thead th")]
    .filter((each) => each.offsetWidth && each.getBoundingClientRect().right <= box.right + 1)
    .map((each) => each.textContent.trim());
}}"""


def test_a_laptop_shows_what_decides_without_scrolling_sideways(opened):
    assert opened.evaluate(f"{BESIDE}.scrollWidth <= {BESIDE}.clientWidth")
    assert {"Ratio", "Drop", "Margin"} <= set(opened.evaluate(SHOWN))
    button = opened.get_by_role("button", name="All columns")
    assert "Metric" not in opened.evaluate(SHOWN)
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert opened.locator("#figures th", has_text="Metric").is_visible()
    button.press("Enter")
    assert not opened.locator("#figures th", has_text="Metric").is_visible()


def test_a_phone_shows_ratio_drop_and_margin_without_scrolling_sideways(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate(SHOWN) == ["Model", "Backend", "Ratio", "Drop", "Margin"]
    assert opened.evaluate(f"{BESIDE}.scrollWidth <= {BESIDE}.clientWidth")


def test_without_a_script_every_column_is_shown(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("#figures th", has_text="Metric").is_visible()
    assert page.locator("#columns").is_hidden()
    context.close()


def test_a_phone_scrolls_down_only(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("chosen", [False, True])
def test_paper_is_white_whatever_the_theme_is(opened, chosen):
    opened.emulate_media(media="print", color_scheme="light")
    colours = "(() => { const s = getComputedStyle(document.documentElement); return"
    colours += (
        " ['--text', '--background', '--series-0', '--grid'].map(n => s.getPropertyValue(n)); })()"
    )
    light = opened.evaluate(colours)
    assert light[:2] == ["#000", "#fff"]
    if chosen:
        opened.evaluate("document.documentElement.dataset.theme = 'dark'")
    else:
        opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate(colours) == light


def test_it_prints_with_all_numbers(opened):
    opened.emulate_media(media="print")
    assert opened.locator("nav").is_hidden()
    assert opened.locator("#figures th", has_text="Metric").is_visible()
    assert opened.pdf(format="A4")[:5] == b"%PDF-"


@pytest.fixture
def other(browser):
    """A page to open another file in, and what it asked for and wrote to the console."""
    page, seen = browser.new_page(viewport={"width": 390, "height": 844}), []
    page.set_default_timeout(TIMEOUT_MS)
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: (seen.append("a dialog"), dialog.dismiss()))
    yield page
    assert seen == [page.url]
    page.close()


def reads_well(page) -> None:
    """No name is markup, all can be read by a screen reader, and a phone scrolls down only."""
    assert page.locator("img").count() == 0
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    assert violations(page) == []
    page.locator("#theme").press("Enter")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # Nothing that decides is beside the screen, and a name has more than a letter a line.
    assert page.evaluate(f"{BESIDE}.scrollWidth <= {BESIDE}.clientWidth")
    assert page.evaluate("document.querySelector('#figures tbody th').offsetWidth") >= 80
    button = page.get_by_role("button", name="All columns")
    button.press("Enter")
    assert page.evaluate(f"{BESIDE}.scrollWidth > {BESIDE}.clientWidth")
    button.press("Enter")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert button.is_hidden()


def test_a_gate_is_read_alike(other, tmp_path):
    cell = f"{HOSTILE}-onnxruntime-cpu-int8"
    slower = Verdict(
        cell, "slower", "12 % more", True, 2.0, 2.24, Interval(1.12, 1.08, 1.16), launches=5
    )
    same = replace(slower, cell="net", status="same", reason="", regressed=False)
    report = GateReport("base", "head", Decision((slower, same)), certainty=("Sure.",))
    other.goto(gate.write(report, Tolerances(), tmp_path).as_uri())
    assert other.locator("strong").first.inner_text() == "1 of 2 cells got worse: 1 slower."
    assert column(other, 1) == [cell, "net"]
    other.locator(".picture .mark").first.focus()
    assert other.locator("#tip").inner_text().startswith(cell)
    reads_well(other)


def test_a_history_is_read_alike(other, tmp_path):
    cell = f"{HOSTILE}-onnxruntime-cpu-int8"
    for number in range(20):
        kept = kept_runs.row(2.0 * (1 + 0.001 * (number * 7 % 10)), model=HOSTILE)
        kept_runs.keep(tmp_path, kept)
    with history_opened(tmp_path) as reader:
        found = [timeline(each) for each in reader.series("*", 100)]
        shown = history.page(found, reader.recent(20), reader.size(), "history.sqlite")
    other.goto(history.write(shown, tmp_path / "history.html").as_uri())
    assert column(other, 1) == [cell]
    other.locator(".picture .mark[tabindex='0']").focus()
    assert other.locator("#tip").inner_text().startswith("run 1, ")
    other.keyboard.press("ArrowRight")
    assert other.locator("#tip").inner_text().startswith("run 2, ")
    reads_well(other)
