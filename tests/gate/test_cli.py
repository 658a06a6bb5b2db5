"""``fqbench gate BASE.json HEAD.json``: exit codes, refusals, files."""

import json
import os
import signal
import time
from copy import deepcopy
from functools import partial

import pytest

from fqbench.cli import run as run_command
from fqbench.cli.gate_options import mode_of
from fqbench.cli.main import main, parser
from fqbench.errors import StepError
from fqbench.pipeline.cell_steps import Request
from tests.support.quick_fqbench import BUDGET
from tests.support.stored_files import CELL, MACHINE, row, timed, write
from tests.support.tiny_spec import write_spec


def gate(*arguments: object) -> int:
    return main(["gate", *map(str, arguments)])


def complaint(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_a_key_of_a_stranger_does_not_reach_the_terminal_raw(tmp_path, capsys):
    path = write(tmp_path, row(hashes={"\x1b]0;mine\x07": 1}))
    assert gate(path, path) == 2
    told = complaint(capsys)
    assert "key rows.0.hashes" in told
    assert told.isprintable()


@pytest.fixture
def other_flags(tmp_path):
    machine = deepcopy(MACHINE)
    machine["cpu"]["isa"] = ["avx2", "fma", "amx_int8"]
    return timed(tmp_path / "base", 2.0), timed(tmp_path / "head", 2.0, machine=machine)


def test_other_instruction_sets_are_refused_by_name(other_flags, capsys):
    base, head = other_flags
    assert gate(base, head) == 2
    assert complaint(capsys) == (
        f"fqbench: {head} was not measured on the same as {base}: HEAD lacks the instruction sets"
        " avx512f, avx512_vnni; BASE lacks the instruction sets amx_int8. Measure both alike, or"
        " compare them --anyway"
    )


def test_other_instruction_sets_anyway_stand_in_the_verdict(other_flags, tmp_path, capsys):
    assert gate(*other_flags, "--anyway", "--out", tmp_path / "out") == 0
    told = " ".join(capsys.readouterr().out.split())
    markdown = (tmp_path / "out/gate.md").read_text()
    difference = "Compared although the sides differ: HEAD lacks the instruction sets avx512f, avx"
    assert difference in told
    assert difference in markdown
    cautions = json.loads((tmp_path / "out/gate.json").read_text())["cautions"]
    assert cautions[0].startswith(difference)


@pytest.mark.parametrize(
    ("head_ms", "arguments", "code"),
    [(2.0, (), 0), (4.0, (), 1), (4.0, ("--slowdown", "100"), 0), (2.1, ("--slowdown", "0"), 0)],
)
def test_exit_code(tmp_path, capsys, head_ms, arguments, code):
    sides = timed(tmp_path / "base", 2.0), timed(tmp_path / "head", head_ms)
    assert gate(*sides, *arguments) == code


def test_nothing_in_common(tmp_path, capsys):
    base = write(tmp_path / "base", row(status="skipped", latency_ms=None))
    head = write(tmp_path / "head", row())
    assert gate(base, head) == 2
    assert "Nothing could be compared." in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--slowdown", "-1"], ["--points", "nan"]])
def test_tolerance_that_is_none(options, capsys):
    with pytest.raises(SystemExit) as caught:
        gate("a.json", "b.json", *options)
    assert caught.value.code == 2


@pytest.mark.parametrize("files", [[], ["a.json"], ["a.json", "b.json", "c.json"]])
def test_other_than_two_files(files, capsys):
    assert gate(*files) == 2
    assert complaint(capsys).startswith("fqbench: the gate compares two files of results")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("a.json b.json --spec x", "--spec is of no use where two files are compared"),
        ("a.json b.json --base-python y", "--base-python is of no use where two files"),
        ("a.json b.json --seconds 5", "--seconds is of no use where two files are compared"),
        ("a.json b.json --recorded r", "--recorded is of no use where two files are compared"),
        ("a.json b.json --base main", "RESULTS.json is of no use where versions are compared"),
        ("--base main --anyway", "--anyway is of no use where versions are compared (--base)"),
        ("--base main --suites 3", "--suites is of no use where versions are compared (--base)"),
        ("--self-test a.json", "RESULTS.json is of no use with --self-test"),
        ("--self-test --base main", "--base is of no use with --self-test"),
        ("--self-test --install .", "--install is of no use with --self-test"),
        ("--base main --install . --head-python y", "give one or the other"),
    ],
)
def test_an_option_that_would_be_ignored(capsys, arguments, told):
    assert gate(*arguments.split()) == 2
    assert told in complaint(capsys)


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        ("a.json b.json --slowdown 5 --anyway --out x", "stored"),
        ("--base main --head x --spec a.yaml --seconds 5 --threads 2 --points 1", "versions"),
        ("--self-test --suites 2 --models m --seconds 5 --slowdown 3", "self-test"),
    ],
)
def test_options_of_a_mode(monkeypatch, arguments, mode):
    monkeypatch.setenv("FQBENCH_DATA", "/data")
    given = ["gate", *arguments.split()]
    assert mode_of(parser(given).parse_args(given)) == mode


def test_a_job_that_is_cancelled_takes_its_checkouts_away(tmp_path, monkeypatch):
    """SIGTERM ends what runs as an exception does, and is then what it was before."""
    ended = []

    def compare_versions(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            ended.append(True)

    monkeypatch.setattr("fqbench.cli.gate.compare_versions", compare_versions)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as caught:
            gate("--base", "main")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (caught.value.code, ended) == (143, [True])


def test_a_self_test_that_crashes_compares_nothing(monkeypatch, capsys):
    def build(*_):
        raise StepError("it was killed")

    monkeypatch.setattr("fqbench.cli.gate_selftest.side.build", build)
    assert gate("--self-test") == 2
    assert complaint(capsys) == "fqbench: it was killed"


def test_verdict_that_cannot_be_written(tmp_path, capsys):
    path = timed(tmp_path / "base", 2.0)
    (tmp_path / "file").write_text("")
    assert gate(path, path, "--out", tmp_path / "file") == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.slow
def test_results_of_a_real_run(tmp_path, monkeypatch, capsys):
    """What ``fqbench run`` writes is read, frozen and the same as itself."""
    monkeypatch.setattr(run_command, "Request", partial(Request, budget=BUDGET))
    spec = write_spec(tmp_path / "project")
    quick = ("--backends", "onnxruntime", "--precisions", "fp32")
    assert main(["run", "--spec", str(spec), *quick, "--out", str(tmp_path / "run")]) == 0
    results, baseline = str(tmp_path / "run/results.json"), str(tmp_path / "baseline.json")
    assert main(["baseline", results, "--out", baseline]) == 0
    code = gate(baseline, results, "--out", tmp_path)
    (cell,) = json.loads((tmp_path / "gate.json").read_text())["cells"]
    assert cell["cell"] == "tiny-onnxruntime-cpu-fp32"
    # So little is timed that on a busy machine nothing would show.
    assert (code, cell["status"]) in {(0, "same"), (2, "unclear")}
    assert cell["slowdown"]["value"] == pytest.approx(1, abs=1e-6)
    assert cell["loss"] == {"value": 0.0, "ci95": [0.0, 0.0]}
    assert CELL not in capsys.readouterr().out
