"""What commands print: whole documents for scripts, colours for terminals that want them only."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fqbench import zoo
from fqbench.cli import completion
from fqbench.cli.main import COMMANDS, parser_of
from fqbench.environments.environment import Environment
from tests.support.commands import FP32, ROOT, run
from tests.support.tiny_spec import without_data_root, write_spec

ONE = zoo.embedded_names()[0]

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


@pytest.fixture(autouse=True)
def _environments(monkeypatch, tmp_path):
    monkeypatch.setenv("FQBENCH_ENVIRONMENTS", str(tmp_path / "environments"))


def in_terminal(*arguments: object, **environment: str) -> str:
    """All that a terminal of 100 columns gets."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "fqbench", *map(str, arguments)],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**without_data_root(), "COLUMNS": "100", "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    received = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # What Linux says once no one has the other end.
            break
        if not part:
            break
        received += part
    os.close(ours)
    child.wait(timeout=300)
    return received.decode()


def options_of(command: str) -> set[str]:
    (actions,) = (a for a in parser_of([command])._actions if a.dest == "command")
    assert isinstance(actions.choices, dict)
    return set(actions.choices[command]._option_string_actions)


def test_every_command_that_prints_results_has_a_document_of_them():
    assert [name for name in COMMANDS if "--json" not in options_of(name)] == ["completion"]


@pytest.mark.parametrize("command", ["run", "best", "compress", "gate"])
def test_commands_with_notes_have_all_of_them_by_an_option(command):
    assert "--verbose" in options_of(command)


def test_listed_cells_and_methods(capsys):
    assert run("list", "--json", "--models", ONE, "--backends", "onnxruntime") == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert found["schema"] == 1
    assert found["cells"][0] == {
        "cell": f"{ONE}-onnxruntime-cpu-fp32",
        "model": ONE,
        "backend": "onnxruntime",
        "device": "cpu",
        "precision": "fp32",
        "runs": True,
        "reason": None,
    }
    assert [each["runs"] for each in found["cells"]].count(True) == 2
    assert found["methods"][0] == {
        "method": "offline",
        "label": "offline quantization",
        "backends": None,
        "reason": None,
    }


def test_results_of_a_run_are_those_of_its_file(capfd, tmp_path):
    spec, out = write_spec(tmp_path / "project"), tmp_path / "out"
    assert run("run", "--json", "--quiet", "--spec", spec, *FP32, "--out", out) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out) == json.loads((out / "results.json").read_text())
    files = ", ".join(f"{out}/{name}" for name in ("results.json", "report.md", "report.html"))
    assert captured.err.splitlines() == [f"Written: {files}"]


def test_steps_that_a_run_would_take(capfd, tmp_path):
    spec = write_spec(tmp_path / "project")
    assert run("run", "--json", "--quiet", "--dry-run", "--spec", spec, *FP32) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["seconds"] is None
    assert {"step": "canonical", "model": "tiny", "seconds": None} in [
        {**each, "step": each["step"].split()[0]} for each in found["steps"]
    ]


def test_nothing_on_standard_output_but_the_document(capfd, tmp_path):
    spec = write_spec(tmp_path / "project")
    assert run("run", "--json", "--spec", spec, "--backends", "nope") == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("fqbench: there is no backend 'nope'")


@pytest.mark.parametrize("arguments", [("env",), ("env", "list"), ("fetch",)])
def test_documents_of_what_is_there(arguments, capsys):
    assert run(*arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1


@pytest.mark.parametrize("problems", [(), ("it lacks numpy",)])
def test_document_of_a_check(problems, capsys, monkeypatch):
    found = Environment("paddle", Path("/e/bin/python"), {}, "made")
    monkeypatch.setattr("fqbench.cli.env.find", lambda name: found)
    monkeypatch.setattr("fqbench.cli.env.make.problems", lambda each: problems)
    assert run("env", "check", "paddle", "--json") == len(problems)
    assert json.loads(capsys.readouterr().out)["environments"] == [
        {"name": "paddle", "python": "/e/bin/python", "problems": list(problems)}
    ]


@pytest.mark.parametrize("arguments", [("env",), ("env", "list"), ("env", "check", "nope")])
def test_no_document_unless_it_is_asked_for(arguments, capsys):
    run(*arguments)
    assert not capsys.readouterr().out.startswith("{")


def test_an_option_before_a_command_of_a_command_counts(capsys):
    assert run("env", "--json", "list") == 0
    (first, *_) = json.loads(capsys.readouterr().out)["environments"]
    assert (first["state"], first["executable"]) == ("missing", None)
    assert "fqbench env make" in first["reason"]


def test_what_was_not_fetched(capsys, tmp_path):
    assert run("fetch", "imagenet", "--json", "--data-root", tmp_path) == 1
    captured = capsys.readouterr()
    (item,) = json.loads(captured.out)["items"]
    assert (item["name"], item["there"]) == ("imagenet", False)
    assert captured.err == f"fqbench: {item['text']}\n"


def test_a_terminal_gets_colours_unless_it_wants_none():
    """Errors are red, so this sees that colours would be seen."""
    arguments = ("list", "--models", "nope")
    assert COLOUR.search(in_terminal(*arguments))
    without = in_terminal(*arguments, NO_COLOR="1")
    assert not COLOUR.search(without)
    assert "fqbench: there is no model 'nope'" in without


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--models", ONE, "--all"),
        ("list", "--models", "nope"),
        ("env",),
        ("fetch",),
    ],
)
def test_what_is_piped_holds_no_control_codes(arguments, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    run(*arguments)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert text
    assert [sign for sign in text if not (sign.isprintable() or sign == "\n" or sign == "\t")] == []


def test_reader_that_has_enough_is_no_error():
    found = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" -m fqbench fetch --json | true', sys.executable],
        cwd=ROOT,
        env=without_data_root(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (141, "", "")


COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()
COMP_POINT=${#COMP_LINE}
_shtab_fqbench fqbench "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        file = tmp_path_factory.mktemp("completion") / "fqbench"
        with file.open("w") as out:
            patch.setattr(sys, "stdout", out)
            assert run("completion", "bash") == 0
        return file


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ga"], ["gate"]),
        (["run", "--dry"], ["--dry-run"]),
        (["run", "--backends", "on"], ["onnxruntime"]),
        (["run", "--backends", "onnxruntime", "pad"], ["paddle"]),
        (["list", "--models", "publ"], ["published"]),
        (["env", "make", "ope"], ["openvino"]),
        (["run", "--out", f"{ROOT}/doc"], [f"{ROOT}/docs"]),
        (["run", "--spec", f"{ROOT}/examples/yolov5s.y"], [f"{ROOT}/examples/yolov5s.yaml"]),
    ],
)
def test_bash_completes(words, completed, script):
    command = ["bash", "--norc", "-c", COMPLETE, "bash", str(script), "fqbench", *words]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.split() == completed


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_each_shell_has_a_script_of_every_command(shell, capsys):
    assert run("completion", shell) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
