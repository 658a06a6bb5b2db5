"""The command line: exit codes, and one sentence for whatever is wrong."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from fqbench import __version__, zoo
from fqbench.cli import run as run_command
from fqbench.cli.main import COMMANDS, main
from fqbench.environments import Missing, here
from fqbench.errors import StepError, UsageError
from fqbench.pipeline.cell_steps import Request
from tests.support.quick_fqbench import BUDGET
from tests.support.tiny_spec import without_data_root, write_spec

ROOT = Path(__file__).parents[2]
QUICK = ("--backends", "onnxruntime", "--precisions", "fp32")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, tmp_path):
    """A cache of its own, hardly any timing, and lines as long as they are."""
    monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(run_command, "Request", partial(Request, budget=BUDGET))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def sentences(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("fqbench: ")]


def rows(folder: Path) -> dict[str, dict]:
    content = json.loads((folder / "results.json").read_text())
    return {row["cell"]: row for row in content["rows"]}


class TestList:
    def test_every_combination_is_listed(self, capsys):
        assert run("list", "--all") == 0
        listed = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
        expected = [
            f"{model}-{backend}-{device}-{precision}"
            for model in zoo.embedded_names()
            for backend in ("onnxruntime", "openvino", "paddle", "tensorrt", "tensorrt_rtx")
            for device in ("cpu", "gpu")
            for precision in ("fp32", "bf16", "fp16", "int8")
        ]
        assert [cell for cell in listed if cell in expected] == expected

    def test_what_runs_here_one_a_line_where_it_is_piped(self, capsys, monkeypatch):
        monkeypatch.setattr("fqbench.cells.find", lambda name: here())
        monkeypatch.setenv("COLUMNS", "20")
        name = zoo.embedded_names()[0]
        assert run("list", "--models", name, "--backends", "onnxruntime", "paddle") == 0
        captured = capsys.readouterr()
        assert captured.out.splitlines() == [
            f"{name}-{backend}-cpu-{precision}"
            for backend in ("onnxruntime", "paddle")
            for precision in ("fp32", "int8")
        ]
        assert captured.err == "12 of 16 cells cannot run here: --all says why\n"

    def test_cells_that_cannot_run_say_why(self, capsys):
        name = zoo.embedded_names()[0]
        run("list", "--all", "--models", name)
        lines = capsys.readouterr().out.splitlines()
        states = {line.partition("\t")[0]: line.partition("\t")[2] for line in lines}
        assert len(states) == 40
        assert states[f"{name}-onnxruntime-cpu-int8"] == ""
        assert states[f"{name}-tensorrt-cpu-int8"] == (
            "cannot run: TensorRT runs on NVIDIA GPUs only"
        )
        assert states[f"{name}-tensorrt-gpu-fp32"].startswith("cannot run: ")
        assert states[f"{name}-paddle-gpu-fp32"].startswith("cannot run: ")

    def test_selection_keeps_what_cannot_run(self, capsys):
        assert run("list", "--all", "--backends", "tensorrt", "--devices", "gpu") == 0
        out = capsys.readouterr().out
        assert out.count("-tensorrt-gpu-") == 4 * len(zoo.known_names())
        assert "-onnxruntime-" not in out

    def test_group_stands_for_the_published_models(self, capsys, monkeypatch):
        monkeypatch.setattr("fqbench.cells.find", lambda name: here())
        assert run("list", "--models", "published", "--backends", "paddle", "--devices", "cpu") == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{name}-paddle-cpu-{precision}"
            for name in zoo.published_names()
            for precision in ("fp32", "int8")
        ]

    def test_models_of_specs_take_the_place_of_the_embedded(self, capsys, tmp_path):
        assert run("list", "--all", "--spec", write_spec(tmp_path)) == 0
        out = capsys.readouterr().out
        assert out.count("tiny-") == 40
        assert zoo.embedded_names()[0] not in out

    def test_cells_are_whole_in_a_narrow_terminal_and_methods_say_what_they_need(
        self, capsys, monkeypatch
    ):
        missing = Missing("nncf", "the environment nncf is not here")
        monkeypatch.setattr(
            "fqbench.methods.record.find", lambda name: missing if name == "nncf" else here()
        )
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        monkeypatch.setenv("COLUMNS", "60")
        name = zoo.embedded_names()[0]
        assert run("list", "--all", "--models", name) == 0
        cells = capsys.readouterr().out.splitlines()
        assert sum(line.strip().startswith(f"{name}-") for line in cells) == 40
        assert any(line.strip().startswith(f"{name}-tensorrt_rtx-gpu-int8 ") for line in cells)
        monkeypatch.setenv("COLUMNS", "200")
        assert run("list", "--all", "--models", name) == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert "offline offline quantization every backend ready" in lines
        assert (
            "nncf NNCF onnxruntime, openvino cannot run: the environment nncf is not here" in lines
        )
        assert not any(line.startswith("given ") for line in lines)
        assert run("list", "--models", name) == 0
        out = capsys.readouterr().out
        assert "ort_static" in out
        assert "nncf" not in out

    def test_models_of_the_zoo_beside_those_of_specs(self, capsys, tmp_path):
        spec, name = write_spec(tmp_path), zoo.embedded_names()[0]
        assert run("list", "--all", "--spec", spec, "--models", name, "published") == 0
        out = capsys.readouterr().out
        assert out.count("tiny-") == 40
        assert all(f"\n{each}-" in out for each in (name, *zoo.published_names()))
        assert run("list", "--all", "--spec", spec, "--models", "tiny", name) == 0
        out = capsys.readouterr().out
        assert out.count("tiny-") == 40
        assert zoo.published_names()[0] not in out

    def test_unusable_spec_beside_a_good_one(self, capsys, tmp_path):
        assert run("list", "--all", "--spec", write_spec(tmp_path), tmp_path / "no.yaml") == 2
        captured = capsys.readouterr()
        assert captured.out.count("tiny-") == 40
        (said,) = sentences(captured.err)
        assert said.startswith(
            f"fqbench: cannot read spec file {tmp_path / 'no.yaml'}: No such file or directory"
        )


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
    assert run("run", "--spec", write_spec(tmp_path / "project"), "--out", out, *QUICK) == 0
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


def broken_projects(folder: Path) -> dict[str, Path]:
    """Specs that load, of files that are not what they should be."""
    made = {
        name: write_spec(folder / name, name)
        for name in ("truncated", "text", "cutoff", "unlisted", "nofile")
    }
    model = folder / "truncated" / "truncated.onnx"
    model.write_bytes(model.read_bytes()[:-500])
    (folder / "text" / "text.onnx").write_text("this is not a model\n")
    made["input"] = write_spec(folder / "input", "input", input="pixels")
    made["empty"] = write_spec(
        folder / "empty",
        "empty",
        dataset={"kind": "imagenet", "images": "none", "list": "list.txt"},
    )
    (folder / "empty" / "none").mkdir()
    image = folder / "cutoff" / "images" / "00.png"
    image.write_bytes(image.read_bytes()[:100])
    (folder / "unlisted" / "list.txt").write_text("00.png 0\n01.png cat\n")
    (folder / "nofile" / "nofile.onnx").unlink()
    made["json"] = write_spec(
        folder / "json",
        "json",
        task="detection",
        decode={"kind": "python", "function": "json:loads"},
        dataset={"kind": "coco", "images": "images", "annotations": "broken.json"},
    )
    (folder / "json" / "broken.json").write_text('{"images": [')
    return made


NAMED = {
    "truncated": ("truncated.onnx", "is not a whole ONNX model"),
    "text": ("text.onnx", "is not a whole ONNX model"),
    "input": ("input.onnx", "key input is 'pixels', the model has: x"),
    "empty": ("dataset.images", "00.png"),
    "cutoff": ("00.png", "cannot read image"),
    "unlisted": ("list.txt, line 2", "expected 'file class'"),
    "nofile": ("nofile.yaml", "key model: there is no file"),
    "json": ("broken.json", "not COCO annotations"),
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """One command with every broken project and a good one in their midst."""
    folder = tmp_path_factory.mktemp("mixed")
    made = list(broken_projects(folder).values())
    specs = [*made[:4], write_spec(folder / "good", "good"), *made[4:]]
    command = [sys.executable, "-m", "tests.support.quick_fqbench", "run", *QUICK]
    command += ["--allow-code", "--out", str(folder / "out"), "--spec", *map(str, specs)]
    environment = {"FQBENCH_CACHE": str(folder / "cache"), "COLUMNS": "1000"}
    return started(command, environment), folder


def started(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**without_data_root(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestBrokenProjects:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", NAMED)
    def test_is_one_sentence(self, mixed, name):
        finished, folder = mixed
        (sentence,) = (s for s in sentences(finished.stderr) if str(folder / name) in s)
        for part in NAMED[name]:
            assert part in sentence

    def test_nothing_else_is_said(self, mixed):
        finished, _ = mixed
        assert finished.returncode == 2
        assert len(sentences(finished.stderr)) == len(NAMED)
        assert "Traceback" not in finished.stderr + finished.stdout

    def test_good_spec_has_its_row(self, mixed):
        finished, folder = mixed
        (row,) = rows(folder / "out").values()
        assert (row["cell"], row["status"]) == ("good-onnxruntime-cpu-fp32", "ok")
        assert "good" in finished.stdout


@pytest.mark.slow
def test_package_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "fqbench", "list", "--backends", "nope"]
    finished = started(command, {"COLUMNS": "1000"})
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert sentences(finished.stderr) == finished.stderr.splitlines()
