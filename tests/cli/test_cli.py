"""The command line: exit codes, and one sentence for whatever is wrong."""

import subprocess
import sys

import pytest

from fqbench import __version__
from fqbench.cli import run as run_command
from fqbench.cli.main import COMMANDS
from fqbench.errors import StepError, UsageError
from tests.support.commands import FP32, ROOT, rows, run, sentences, started
from tests.support.tiny_spec import write_spec


@pytest.mark.parametrize("command", ["list", "run"])
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("models", "there is no model 'nope': the models are "),
        ("backends", "there is no backend 'nope': the backends are onnxruntime, openvino, paddle"),
        ("devices", "there is no device 'nope': the devices are cpu, gpu"),
        ("precisions", "there is no precision 'nope': the precisions are fp32, bf16, fp16, int8"),
    ],
)
def test_unknown_name_is_one_sentence(command, option, sentence, capsys, tmp_path):
    spec = write_spec(tmp_path / "project")
    out = ("--out", tmp_path / "out") if command == "run" else ()
    assert run(command, "--spec", spec, f"--{option}", "nope", *out) == 2
    captured = capsys.readouterr()
    (said,) = filter(None, captured.err.splitlines())
    assert said.startswith(f"fqbench: {sentence}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--methods", "offline,nope"], "there is no method 'nope': the methods are offline, "),
        (
            ["--method", "nncf", "--methods", "offline"],
            "--method and --methods: expected one of them",
        ),
    ],
)
def test_methods_that_cannot_be_are_one_sentence(options, sentence, capsys, tmp_path):
    spec = write_spec(tmp_path / "project")
    assert run("run", "--spec", spec, *options, "--out", tmp_path / "out") == 2
    (said,) = filter(None, capsys.readouterr().err.splitlines())
    assert said.startswith(f"fqbench: {sentence}")
    assert not (tmp_path / "out").exists()


def test_data_root_that_is_no_folder(capsys, tmp_path):
    assert run("list", "--data-root", tmp_path / "no") == 2
    assert sentences(capsys.readouterr().err) == [
        f"fqbench: the data root {tmp_path / 'no'} is not a folder"
        ": name one that is there by --data-root or FQBENCH_DATA"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nope"],
        ["run", "--threads", "0"],
        ["run", "--threads", "two"],
        ["run", "--method", "x"],
    ],
)
def test_wrong_usage_ends_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        run("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_help_imports_nothing_but_itself():
    code = f"""if True:
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        before = set(sys.modules)
        from fqbench.cli.main import main
        try:
            main(["--help"])
        except SystemExit:
            packages = {{name.partition(".")[0] for name in set(sys.modules) - before}}
            print(*packages - sys.stdlib_module_names)
        """
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    usage, *_, imported = done.stdout.splitlines()
    assert usage.startswith("usage: fqbench ")
    assert imported.split() == ["fqbench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(command, capsys):
    with pytest.raises(SystemExit) as caught:
        run(command, "--help")
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: fqbench {command} ")
    assert "options:" in shown
    said = " ".join(shown.split())
    assert f"Exit codes: 0 {COMMANDS[command].ends[0]}; 1 " in said
    assert said.endswith("141 nobody reads the output any more.")


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("x"), 2), (StepError("x"), 1), (KeyboardInterrupt(), 130)]
)
def test_exit_code_of_each_error(error, code, capsys, monkeypatch):
    def broken(*_):
        raise error

    monkeypatch.setattr(run_command, "run", broken)
    assert run("run") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fqbench: ")


@pytest.mark.slow
def test_run_writes_results_and_report(capsys, tmp_path):
    out = tmp_path / "out"
    assert run("run", "--spec", write_spec(tmp_path / "project"), "--out", out, *FP32) == 0
    (row,) = rows(out).values()
    assert (row["cell"], row["status"], row["images"]) == ("tiny-onnxruntime-cpu-fp32", "ok", 12)
    assert row["accuracy"] == pytest.approx(100 * 4 / 12)
    assert row["latency_ms"]["p50"] > 0
    assert "| tiny | ONNX Runtime | CPU |" in (out / "report.md").read_text()
    assert "33.33" in capsys.readouterr().out


def test_backend_that_cannot_run_is_a_row_with_its_reason(tmp_path):
    spec, out = write_spec(tmp_path / "project"), tmp_path / "out"
    assert run("run", "--spec", spec, "--out", out, "--backends", "tensorrt") == 0
    found = rows(out)
    assert len(found) == 8
    assert {row["status"] for row in found.values()} == {"unsupported"}
    assert found["tiny-tensorrt-cpu-int8"]["reason"] == "TensorRT runs on NVIDIA GPUs only"


def test_folder_of_results_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    spec = write_spec(tmp_path / "project")
    assert run("run", "--spec", spec, "--out", tmp_path / "file", "--backends", "tensorrt") == 2
    assert sentences(capsys.readouterr().err) == [
        f"fqbench: cannot write into {tmp_path / 'file'}: it is no folder: choose another folder"
    ]


def test_empty_calibration_folder_is_found_before_any_work(capsys, tmp_path):
    spec = write_spec(tmp_path / "project", calibration={"images": "none"})
    (tmp_path / "project" / "none").mkdir()
    assert run("run", "--spec", spec, "--out", tmp_path / "out") == 2
    (sentence,) = sentences(capsys.readouterr().err)
    assert "calibration.images" in sentence
    assert str(tmp_path / "project" / "none") in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_package_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "fqbench", "list", "--backends", "nope"]
    finished = started(command, {"COLUMNS": "1000"})
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert sentences(finished.stderr) == finished.stderr.splitlines()
