"""``fqbench list``: which cells there are, which run here, and why others do not."""

from fqbench import zoo
from fqbench.environments import Missing, here
from tests.support.commands import run, sentences
from tests.support.tiny_spec import write_spec


def test_every_combination_is_listed(capsys):
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


def test_what_runs_here_one_a_line_where_it_is_piped(capsys, monkeypatch):
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


def test_cells_that_cannot_run_say_why(capsys):
    name = zoo.embedded_names()[0]
    run("list", "--all", "--models", name)
    lines = capsys.readouterr().out.splitlines()
    states = {line.partition("\t")[0]: line.partition("\t")[2] for line in lines}
    assert len(states) == 40
    assert states[f"{name}-onnxruntime-cpu-int8"] == ""
    assert states[f"{name}-tensorrt-cpu-int8"] == ("cannot run: TensorRT runs on NVIDIA GPUs only")
    assert states[f"{name}-tensorrt-gpu-fp32"].startswith("cannot run: ")
    assert states[f"{name}-paddle-gpu-fp32"].startswith("cannot run: ")


def test_selection_keeps_what_cannot_run(capsys):
    assert run("list", "--all", "--backends", "tensorrt", "--devices", "gpu") == 0
    out = capsys.readouterr().out
    assert out.count("-tensorrt-gpu-") == 4 * len(zoo.known_names())
    assert "-onnxruntime-" not in out


def test_group_stands_for_the_published_models(capsys, monkeypatch):
    monkeypatch.setattr("fqbench.cells.find", lambda name: here())
    assert run("list", "--models", "published", "--backends", "paddle", "--devices", "cpu") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{name}-paddle-cpu-{precision}"
        for name in zoo.published_names()
        for precision in ("fp32", "int8")
    ]


def test_models_of_specs_take_the_place_of_the_embedded(capsys, tmp_path):
    assert run("list", "--all", "--spec", write_spec(tmp_path)) == 0
    out = capsys.readouterr().out
    assert out.count("tiny-") == 40
    assert zoo.embedded_names()[0] not in out


def test_cells_are_whole_in_a_narrow_terminal_and_methods_say_what_they_need(capsys, monkeypatch):
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
    assert any(line.split()[:1] == [f"{name}-tensorrt_rtx-gpu-int8"] for line in cells)
    monkeypatch.setenv("COLUMNS", "200")
    assert run("list", "--all", "--models", name) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "offline offline quantization every backend ready" in lines
    assert "nncf NNCF onnxruntime, openvino cannot run: the environment nncf is not here" in lines
    assert not any(line.startswith("given ") for line in lines)
    assert run("list", "--models", name) == 0
    out = capsys.readouterr().out
    assert "ort_static" in out
    assert "nncf" not in out


def test_models_of_the_zoo_beside_those_of_specs(capsys, tmp_path):
    spec, name = write_spec(tmp_path), zoo.embedded_names()[0]
    assert run("list", "--all", "--spec", spec, "--models", name, "published") == 0
    out = capsys.readouterr().out
    assert out.count("tiny-") == 40
    assert all(f"\n{each}-" in out for each in (name, *zoo.published_names()))
    assert run("list", "--all", "--spec", spec, "--models", "tiny", name) == 0
    out = capsys.readouterr().out
    assert out.count("tiny-") == 40
    assert zoo.published_names()[0] not in out


def test_unusable_spec_beside_a_good_one(capsys, tmp_path):
    assert run("list", "--all", "--spec", write_spec(tmp_path), tmp_path / "no.yaml") == 2
    captured = capsys.readouterr()
    assert captured.out.count("tiny-") == 40
    (said,) = sentences(captured.err)
    assert said.startswith(
        f"fqbench: cannot read spec file {tmp_path / 'no.yaml'}: No such file or directory"
    )
