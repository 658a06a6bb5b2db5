"""The gate's verdict in Markdown and in a terminal."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from fqbench.gate.verdict import Decision, GateReport, RatioChange, Verdict
from fqbench.measure.stats import Interval
from fqbench.report import gate, gate_terminal
from tests.support.verdicts import SLOWER

SAME = replace(
    SLOWER, cell="net-paddle-cpu-fp32", status="same", reason="", regressed=False, loss=None
)
NEW = Verdict("new-paddle-cpu-int8", "new", "BASE does not have it", head_ms=0.0512)
FASTER = replace(SAME, cell="fast", status="faster", slowdown=Interval(0.5, 0.4, 0.6))
FAILED = Verdict("bad", "failed", "it was killed", True, base_ms=1234.5)


def report(*verdicts: Verdict, **values) -> GateReport:
    return GateReport("base.json", "head.json", Decision(verdicts), **values)


WHOLE = report(
    SAME,
    SLOWER,
    NEW,
    cautions=("There is no samples.json.",),
    certainty=("Measured apart.",),
    machine=("CPU Some CPU (avx512_vnni)",),
    ratios={"net-paddle-cpu-int8": RatioChange(2.5, 2.25, Interval(0.9, 0.85, 0.95))},
)

MARKDOWN = r"""**1 of 3 cells got worse: 1 slower.**

- There is no samples.json.

| Cell | Base ms | Head ms | Change | Accuracy | Verdict |
| --- | --: | --: | --: | --: | --- |
| `net-paddle-cpu-int8` | 2.00 | 2.24 | +12.0 % (+8.0 to +16.0) | -0.10 (-0.50 to +0.25) | **slower** |
| `new-paddle-cpu-int8` | - | 0.051 | - | - | new |

- `net-paddle-cpu-int8`: it takes 12 % more time
- `new-paddle-cpu-int8`: BASE does not have it

<details><summary>1 cell shows no change</summary>

| Cell | Base ms | Head ms | Change | Accuracy | Verdict |
| --- | --: | --: | --: | --: | --- |
| `net-paddle-cpu-fp32` | 2.00 | 2.24 | +12.0 % (+8.0 to +16.0) | - | same |

</details>

<details><summary>FP32 / INT8</summary>

| Cell | Base | Head | Change |
| --- | --: | --: | --: |
| `net-paddle-cpu-int8` | 2.50 | 2.25 | -10.0 % (-15.0 to -5.0) |

FP32 over INT8 time in the fastest rounds; most of the machine cancels out of it.

</details>

<details><summary>How sure this is</summary>

- BASE is base.json, HEAD is head.json.
- Measured apart.
- Change is of time, Accuracy in points (HEAD minus BASE); in brackets: 95 % confidence intervals of a cell by itself.

</details>

<details><summary>Machine and versions</summary>

- CPU Some CPU (avx512\_vnni)

</details>
"""  # noqa: E501


def test_whole_verdict():
    assert gate.markdown(WHOLE) == MARKDOWN


def test_what_is_measured_beside_latency_is_said_in_its_unit():
    grown = Verdict(
        "net-paddle-cpu-int8: memory",
        "more memory",
        "memory changed by +10.0 %",
        True,
        slowdown=Interval(1.1, 1.08, 1.12),
        launches=6,
        measure="memory",
        base_mb=200.4,
        head_mb=220.4,
    )
    text = gate.markdown(report(grown))
    assert "1 of 1 cell got worse: 1 more memory." in text
    assert "| 200 MB | 220 MB | +10.0 % (+8.0 to +12.0) |" in text
    assert "Of a cell with a measure behind its name" in text
    assert "Of a cell with a measure behind its name" not in MARKDOWN
    assert "200 MB" in shown(report(grown), 80)


def test_what_got_worse_comes_first_and_the_worst_of_it_on_top():
    worst = replace(SLOWER, cell="worst", slowdown=Interval(2.0, 1.9, 2.1))
    told, quiet = gate.ordered(report(FASTER, NEW, SLOWER, SAME, worst, FAILED).decision)
    assert [v.cell for v in told] == ["bad", "worst", SLOWER.cell, NEW.cell, "fast"]
    assert quiet == [SAME]


UNCHANGED = replace(SAME, cell="again", status="unchanged", slowdown=None)


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        ((SAME,), "1 cell shows no change"),
        ((UNCHANGED,), "1 cell shows no change, which is the same files on both sides"),
        ((SAME, UNCHANGED), "2 cells show no change, 1 of which is the same files on both sides"),
        (
            (UNCHANGED, UNCHANGED),
            "2 cells show no change, all of which are the same files on both sides",
        ),
        (
            (SAME, UNCHANGED, UNCHANGED),
            "3 cells show no change, 2 of which are the same files on both sides",
        ),
    ],
)
def test_cells_that_did_not_change_are_counted_in_english(verdicts, line):
    assert gate.quiet_line(verdicts) == line


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ((SAME, SLOWER, FAILED), "2 of 3 cells got worse: 1 failed, 1 slower."),
        ((SAME, FASTER), "Nothing got worse: 2 cells compared."),
        ((SAME, NEW), "Nothing got worse: 1 cell compared; 1 could not be compared."),
        ((NEW,), "Nothing could be compared."),
        ((), "Nothing could be compared."),
    ],
)
def test_headline(verdicts, headline):
    assert gate.headline(Decision(verdicts)) == headline


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (Interval(1.0, 1.0, 1.0), "0.0 % (0.0 to 0.0)"),
        (Interval(0.5, 0.25, 1.5), "-50.0 % (-75.0 to +50.0)"),
        (Interval(0.9999, 0.9, 1.1), "0.0 % (-10.0 to +10.0)"),
    ],
)
def test_change(value, text):
    assert gate.change(value) == text


def test_words_of_strangers_are_no_markup():
    cell = "a|b`c<img src=x>@octocat [x](http://x)"
    reason = "see <b> @octocat [x](y) *z* | `q`"
    text = gate.markdown(report(replace(FAILED, cell=cell, reason=reason)))
    row = next(line for line in text.splitlines() if line.startswith("| ``"))
    assert row.startswith("| `` a\\|b`c<img src=x>@octocat [x](http://x) `` | ")
    listed = next(line for line in text.splitlines() if line.startswith("- ``"))
    assert listed.endswith(r"see &lt;b&gt; @" + "\u200b" + r"octocat \[x\](y) \*z\* \| \`q\`")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("https://example.org", "https:{}//example.org"),
        ("ftp://x", "ftp:{}//x"),
        ("see www.example.org", "see www{}.example.org"),
        ("a@example.org", "a@{}example.org"),
        ("fixes #123", "fixes \\#{}123"),
        ("octocat/repo#1", "octocat/repo\\#{}1"),
        ("gh-12", "gh{}-12"),
        ("$x$", "\\$x\\$"),
    ],
)
def test_words_of_strangers_link_to_nothing(words, shown):
    text = gate.markdown(report(replace(FAILED, reason=words), cautions=(words,)))
    shown = shown.format("\u200b")
    assert f"- `bad`: {shown}\n" in text
    assert f"- {shown}\n" in text


def test_cells_of_one_reason_share_it():
    others = [replace(FAILED, cell=f"bad{i}") for i in range(2)]
    text = gate.markdown(report(FAILED, *others))
    assert "- `bad`, `bad0`, `bad1`: it was killed\n" in text


@pytest.mark.slow
def test_thousands_of_cells_fit_into_a_comment():
    many = [replace(SLOWER, cell=f"model{i}-onnxruntime-cpu-int8") for i in range(2000)]
    text = gate.markdown(report(*many))
    assert len(text) < 65_536
    assert "1900 more cells are in gate.json." in text


def test_files_are_written_whole(tmp_path):
    markdown, data = gate.write(WHOLE, tmp_path / "new")
    assert markdown.read_text() == MARKDOWN
    found = json.loads(data.read_text())
    assert (found["schema"], found["kind"], found["exit_code"]) == (1, "gate", 1)
    assert found["cells"][1]["slowdown"] == {"value": 1.12, "ci95": [1.08, 1.16]}
    assert found["cells"][1]["loss"] == {"value": 0.1, "ci95": [-0.25, 0.5]}
    assert found["ratios"]["net-paddle-cpu-int8"] == {
        "base": 2.5,
        "head": 2.25,
        "change": {"value": 0.9, "ci95": [0.85, 0.95]},
    }
    assert found["cautions"] == ["There is no samples.json."]


def shown(found: GateReport, width: int) -> str:
    stream = io.StringIO()
    gate_terminal.show(found, Console(file=stream, width=width), verbose=True)
    return stream.getvalue()


def test_wide_terminal_has_intervals():
    text = shown(WHOLE, 200)
    assert "+12.0 % (+8.0 to +16.0)" in text
    assert text.splitlines()[-1] == "1 of 3 cells got worse: 1 slower."


@pytest.mark.parametrize("width", [40, 60, 80])
def test_narrow_terminal_cuts_no_figure(width):
    text = shown(WHOLE, width)
    assert "(+8.0" not in text
    for figure in ("2.00", "2.24", "+12.0 %", "-0.10"):
        assert figure in text


def test_markup_of_strangers_is_shown_as_it_is():
    assert "[bold]x[/bold]" in shown(report(replace(FAILED, cell="[bold]x[/bold]")), 200)
