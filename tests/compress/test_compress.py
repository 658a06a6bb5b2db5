"""``fqbench compress``: real models from configs, in both formats, and nothing half-written."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from fqbench.artifacts import Store
from fqbench.backends.paddle.runtime import INT8_OPERATORS
from fqbench.backends.tensorrt.runtime import TensorRT
from fqbench.cli import compress as command
from fqbench.cli.main import main
from fqbench.compress import deliver as delivery
from fqbench.compress import job, translate
from fqbench.compress.config import load_config
from fqbench.compress.deliver import alone_in, check_folder, deliver
from fqbench.compress.job import CompressionJob, prepare
from fqbench.compress.job import _given_up as given_up
from fqbench.compress.layers import Layers, nodes
from fqbench.compress.make import BuildResult
from fqbench.compress.method import compression_method
from fqbench.compress.reading import reading
from fqbench.compress.report import _notes as notes
from fqbench.environments import HERE, Environment, Missing, find, here
from fqbench.errors import StepError, UsageError
from fqbench.isolate.parent import _run, _Watch
from fqbench.methods.distillation.history import Evaluation, History
from fqbench.pipeline.graph import ModelGraph
from fqbench.steps.executor import LocalExecutor
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import prepare as read
from tests.support.jobs import perform
from tests.support.paddle import needs_paddle
from tests.support.tiny_config import write_config
from tests.support.tiny_spec import CALIBRATING, SIZE

REPORTS = ("report.html", "report.json", "report.md")
MODELS = ("onnxruntime/model.onnx", "paddle/model.pdmodel", "paddle/model.pdiparams")
ROOT = Path(__file__).parents[2]
WATCH = _Watch("the test", timeout_s=120)


def surround(patch: pytest.MonkeyPatch) -> None:
    """Hardly any timing, nothing that depends on it or on OpenVINO, lines as long as they are."""

    def found(name: str) -> Environment | Missing:
        return Missing(name, "not here") if name == "openvino" else find(name)

    patch.setattr("fqbench.cells.find", found)
    patch.delenv("FQBENCH_DATA", raising=False)
    patch.setenv("COLUMNS", "1000")
    patch.setattr(job, "_given_up", lambda config: [{"speed": "assumed"}])


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, models_read_here):
    surround(monkeypatch)


def compress(config: Path, folder: Path, *more: str, method: str = "PTQ") -> int:
    """Run the command; relative paths of the config start beside it."""
    options = [f"--config_path={config}", f"--method={method}", f"--save_dir={folder}"]
    return main(["compress", *options, "--data-root", str(config.parent), *more])


def files(folder: Path) -> list[str]:
    """All but the guard, which is empty."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".guard")
    return sorted(str(path.relative_to(folder)) for path in found)


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def inputs(project: Path) -> np.ndarray:
    """The calibration images as the config reads them."""
    how = reading("cls_image_preprocess", (SIZE, SIZE))
    images = sorted((project / "calibration").iterdir())
    return np.concatenate([read(read_image(path), how).tensor for path in images])


def onnx_answers(model: Path, values: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (name,) = [value.name for value in session.get_inputs()]
    return np.concatenate([session.run(None, {name: each[None]})[0] for each in values])


def paddle_answers(folder: Path, values: np.ndarray, scratch: Path) -> np.ndarray:
    np.save(scratch / "inputs.npy", values)
    arguments = {"folder": str(folder), "inputs": str(scratch / "inputs.npy")}
    return np.array(_run("tests.support.compress_functions:paddle_answers", arguments, {}, WATCH))


def assert_close(answers: np.ndarray, reference: np.ndarray) -> None:
    """As INT8 is to FP32: other values, and nearly the same ones."""
    difference = np.abs(answers - reference).max()
    assert 0 < difference < 0.1 * np.ptp(reference)


def paddle_project(folder: Path) -> dict[str, object]:
    """The tiny model as a Paddle one in ``folder``, and the keys that name it."""
    (folder / "source").mkdir()
    os.link(folder / "tiny.onnx", folder / "source" / "model.onnx")
    arguments = {"canonical": str(folder / "source"), "folder": str(folder / "net")}
    _run("tests.support.compress_functions:write_paddle", arguments, {}, WATCH)
    return {
        "Global.model_dir": "net/",
        "Global.format": "paddle",
        "Global.input_list": ["x"],
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of the published keys' model, ``ptq`` in lower case."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        surround(patch)
        assert compress(write_config(folder / "project"), folder / "out", method="ptq") == 0
    return folder


@needs_paddle
@pytest.mark.slow
class TestOnnx:
    def test_model_for_every_backend_and_a_report(self, made):
        assert files(made / "out") == sorted([*MODELS, *REPORTS])

    def test_plain_onnxruntime_runs_it(self, made):
        values = inputs(made / "project")
        reference = onnx_answers(made / "project" / "tiny.onnx", values)
        assert_close(onnx_answers(made / "out" / MODELS[0], values), reference)

    def test_plain_paddle_runs_it(self, made, tmp_path):
        values = inputs(made / "project")
        reference = onnx_answers(made / "project" / "tiny.onnx", values)
        assert_close(paddle_answers(made / "out" / "paddle", values, tmp_path), reference)

    def test_weights_are_int8(self, made):
        model = onnx.load(str(made / "out" / MODELS[0]))
        kinds = [tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4]
        assert kinds == [onnx.TensorProto.INT8] * 2

    def test_report_tells_what_was_quantized(self, made):
        found = report(made / "out")
        assert (found["model"], found["method"], found["may_lose"]) == ("tiny", "PTQ", 1.0)
        assert found["calibration_images"] == CALIBRATING
        for backend in (each for each in found["backends"] if each["files"]):
            assert (backend["layers"], backend["int8_layers"]) == (3, 2)
            assert list(backend["float_layers"].values()) == [
                "QuantAware.quantize_op_types does not name mul"
            ]
            assert 0 < backend["points"] < 1
            assert backend["ratio"] > 0
            assert backend["fp32_mb"] > 0 < backend["int8_mb"]
        made = {each["backend"]: each["files"] for each in found["backends"] if each["files"]}
        assert made == {"onnxruntime": [MODELS[0]], "paddle": list(MODELS[1:])}

    def test_report_tells_how_paddle_runs_it(self, made):
        operators = sorted(INT8_OPERATORS["int8"])
        told = f"config.enable_mkldnn_int8({{{str(operators)[1:-1]}}});"
        assert told in (made / "out" / "report.md").read_text()

    def test_report_tells_what_became_of_every_key(self, made):
        told = {each["key"]: each["meaning"] for each in report(made / "out")["settings"]}
        assert len(told) == 27
        assert told["PTQ.calibration_method"] == "ranges found by avg"
        assert told["QuantAware.activation_bits"] == "what fqbench does anyway"
        assert told["TrainConfig.train_iter"] == "not used: it is for QAT"
        assert told["Global.input_list"] == "the image is given to x"
        assert told["QuantAware.quantize_op_types"] == "1 of 3 layers stays in float for it"
        assert told["QuantAware.not_quant_pattern"].startswith("0 of 3 layers stay in float")
        markdown = (made / "out" / "report.md").read_text()
        for key, meaning in told.items():
            assert f"| {key} |" in markdown
            assert f"| {meaning} |" in markdown

    def test_terminal_shows_the_table_and_the_files(self, made, tmp_path, capsys):
        assert compress(made / "project" / "config.yaml", tmp_path / "out") == 0
        captured = capsys.readouterr()
        (line,) = [line for line in captured.out.splitlines() if "ONNX Runtime  " in line]
        assert "2 of 3" in line
        written = [line for line in captured.err.splitlines() if line.startswith("Written: ")]
        assert written == [
            f"Written: {tmp_path / 'out' / name}"
            for name in (*MODELS, "report.md", "report.json", "report.html")
        ]


class TestBackendThatIsNotInstalled:
    @pytest.fixture(autouse=True)
    def _without_paddle(self, monkeypatch):
        def find(name):
            return here() if name == HERE else Missing(name, "not here")

        monkeypatch.setattr("fqbench.cells.find", find)

    def test_is_left_out_with_its_reason(self, tmp_path, capsys):
        assert compress(write_config(tmp_path / "project"), tmp_path / "out") == 0
        assert files(tmp_path / "out") == sorted([MODELS[0], *REPORTS])
        said = capsys.readouterr().err.splitlines()
        assert "Left out: paddle: not here" in said
        assert "Paddle Inference: no model: not here" in (tmp_path / "out/report.md").read_text()

    def test_nothing_is_left(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr("fqbench.backends.onnxruntime.runtime.missing", lambda *_, **__: "gone")
        assert compress(write_config(tmp_path / "project"), tmp_path / "out") == 2
        assert capsys.readouterr().err == (
            "fqbench: no model for the cpu can be made here: onnxruntime: gone; openvino: not here;"
            " paddle: not here; fqbench doctor shows what can run here\n"
        )


@pytest.fixture(scope="module")
def paddle_made(tmp_path_factory) -> Path:
    """The same model from Paddle's format, one layer named by Paddle's name of its weight."""
    folder = tmp_path_factory.mktemp("paddle")
    write_config(folder / "project")
    changes = {**paddle_project(folder / "project"), "PTQ.skip_tensor_list": ["conv2d_0.w_0"]}
    with pytest.MonkeyPatch.context() as patch:
        surround(patch)
        assert compress(write_config(folder / "project", changes), folder / "out") == 0
    return folder


@needs_paddle
@pytest.mark.slow
class TestPaddle:
    def test_plain_runtimes_run_it(self, paddle_made, tmp_path):
        out = paddle_made / "out"
        assert files(out) == sorted([*MODELS, *REPORTS])
        values = inputs(paddle_made / "project")
        reference = onnx_answers(paddle_made / "project" / "tiny.onnx", values)
        assert_close(onnx_answers(out / MODELS[0], values), reference)
        assert_close(paddle_answers(out / "paddle", values, tmp_path), reference)

    def test_layer_of_paddle_s_name_stays_in_float(self, paddle_made):
        folder = {"folder": str(paddle_made / "project" / "net")}
        names = _run("tests.support.compress_functions:filters", folder, {}, WATCH)
        assert names == [["conv2d_0.w_0", [8, 3, 3, 3]], ["conv2d_1.w_0", [8, 8, 3, 3]]]
        model = onnx.load(str(paddle_made / "out" / MODELS[0]))
        kinds = {
            tuple(tensor.dims): tensor.data_type
            for tensor in model.graph.initializer
            if len(tensor.dims) == 4
        }
        assert kinds == {
            (8, 3, 3, 3): onnx.TensorProto.FLOAT,
            (8, 8, 3, 3): onnx.TensorProto.INT8,
        }
        found = report(paddle_made / "out")
        assert found["model"] == "net"
        for backend in (each for each in found["backends"] if each["files"]):
            assert sorted(backend["float_layers"].values()) == [
                "PTQ.skip_tensor_list names conv2d_0.w_0",
                "QuantAware.quantize_op_types does not name mul",
            ]


def prepared(
    folder: Path, cache: Path, changes: Mapping[str, object], method: str = "PTQ"
) -> CompressionJob:
    loaded = load_config(write_config(folder, changes))
    return prepare(loaded, compression_method(method), folder, LocalExecutor(Store(cache)))


@pytest.mark.slow
@needs_paddle
def test_weight_by_the_name_that_the_converter_gives(tmp_path, shared_cache):
    """The weights of an ONNX model have names of Paddle's only once it is converted."""
    found = prepared(tmp_path, shared_cache, {"PTQ.skip_tensor_list": ["conv2d_1.w_0"]})
    assert found.asked == {
        "n_gemm6": "QuantAware.quantize_op_types does not name mul",
        "n_conv2": "PTQ.skip_tensor_list names conv2d_1.w_0",
    }
    assert found.spec.offline.keep_float == tuple(found.asked)


@needs_paddle
def test_name_of_nothing_ends_with_two(tmp_path, capsys):
    changes = {"PTQ.skip_tensor_list": ["conv2d_7.w_0"]}
    assert compress(write_config(tmp_path / "project", changes), tmp_path / "out") == 2
    assert capsys.readouterr().err.endswith(
        "fqbench: PTQ.skip_tensor_list: 'conv2d_7.w_0' is no layer, and no tensor that one reads;"
        " the 3 layers are n_conv0, n_conv2, n_gemm6\n"
    )
    assert not (tmp_path / "out").exists()


class TestTraining:
    @needs_paddle
    @pytest.mark.slow
    def test_student_of_each_backend(self, tmp_path, capsys):
        changes = {
            "TrainConfig.train_iter": 8,
            "TrainConfig.eval_iter": 4,
            "TrainConfig.learning_rate": 0.01,
            "Global.qat_batch_size": 2,
        }
        config = write_config(tmp_path / "project", changes)
        assert compress(config, tmp_path / "out", method="qat") == 0
        assert files(tmp_path / "out") == sorted([*MODELS, *REPORTS])
        values = inputs(tmp_path / "project")
        reference = onnx_answers(tmp_path / "project" / "tiny.onnx", values)
        assert_close(onnx_answers(tmp_path / "out" / MODELS[0], values), reference)
        assert_close(paddle_answers(tmp_path / "out" / "paddle", values, tmp_path), reference)
        found = report(tmp_path / "out")
        assert found["method"] == "QAT"
        for backend in (each for each in found["backends"] if each["files"]):
            evaluated = [each["iteration"] for each in backend["training"]["evaluations"]]
            assert evaluated == [0, 4, 8]
        told = {each["key"]: each["meaning"] for each in found["settings"]}
        assert told["TrainConfig.train_iter"] == "8 iterations"
        assert told["TrainConfig.learning_rate"] == "0.01 throughout"
        assert told["PTQ.calibration_method"] == "not used: it is for PTQ"
        assert told["Global.qat_image_path"] == "8 images calibrate, 8 train"
        assert "trained for 8 iterations, all iterations are done" in " ".join(
            capsys.readouterr().out.split()
        )

    def test_tensors_that_are_compared(self, tmp_path, shared_cache):
        found = prepared(tmp_path, shared_cache, {"Distillation.node": ["conv2", "gemm6"]}, "QAT")
        assert found.spec.distillation.nodes == ("conv2", "gemm6")
        assert {each.method for each in found.graphs} == {"distillation"}
        assert (found.images, found.training) == (CALIBRATING, CALIBRATING)

    @pytest.mark.slow
    @needs_paddle
    def test_output_by_the_name_that_paddle_copies(self, tmp_path):
        name = _run(
            "tests.support.compress_functions:write_classifier",
            {"folder": str(tmp_path)},
            {},
            WATCH,
        )
        source = [str(tmp_path / f"model.{suffix}") for suffix in ("pdmodel", "pdiparams")]
        perform("canonical", tmp_path, source=source, input_shape=[1, 3, 8, 8])
        job = {"canonical": str(tmp_path), "program": None, "source": source}
        arguments = {
            "function": "fqbench.compress.names:read_names",
            "job": {**job, "folder": str(tmp_path)},
        }
        _run("fqbench.steps.child:perform", arguments, {}, WATCH)
        found = json.loads((tmp_path / "names.json").read_text())
        (output,) = onnx.load(str(tmp_path / "model.onnx")).graph.output
        assert name == "softmax_0.tmp_0"
        assert nodes(Layers.of(found), [name]) == (output.name,) != ("softmax_0_tmp_0",)

    def test_tensor_that_is_not_there(self, tmp_path, shared_cache):
        with pytest.raises(UsageError, match=r"Distillation.node: 'softmax_0.tmp_0' is no tensor"):
            prepared(tmp_path, shared_cache, {"Distillation.node": ["softmax_0.tmp_0"]}, "QAT")

    def test_skipped_tensors_are_of_ptq(self, tmp_path, shared_cache):
        found = prepared(tmp_path, shared_cache, {"PTQ.skip_tensor_list": ["nothing"]}, "QAT")
        assert list(found.asked) == ["n_gemm6"]


class TestWhatIsGivenUp:
    """At a limit that no rounding keeps to."""

    def changes(self, **metrics: float) -> dict[str, object]:
        return {f"TrainConfig.{key}": value for key, value in metrics.items()}

    @pytest.mark.slow
    def test_limit_of_the_config_is_kept(self, tmp_path, capsys):
        pair = self.changes(target_metric=0.769999, origin_metric=0.77)
        assert compress(write_config(tmp_path / "project", pair), tmp_path / "out") == 1
        assert files(tmp_path / "out") == [*REPORTS]
        assert "no layer is left to run in INT8, where 0.0001 points may be lost, as estimated" in (
            capsys.readouterr().err
        )

    @pytest.mark.slow
    def test_one_that_the_config_does_not_set_is_not(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(translate, "DEFAULT_DROP", 0.0001)
        monkeypatch.setattr(job, "_given_up", lambda config: list(given_up(config))[1:])
        assert compress(write_config(tmp_path / "project"), tmp_path / "out") == 0
        assert "no form of it with a layer in INT8 loses at most 0.0001 points, as estimated" in (
            capsys.readouterr().out
        )

    def test_less_is_given_up_first(self, tmp_path):
        pair = self.changes(target_metric=0.76, origin_metric=0.77)
        configs = [
            load_config(write_config(tmp_path / str(len(each)), each)).config for each in ({}, pair)
        ]
        assert [list(given_up(config)) for config in configs] == [
            [{}, {"speed": "assumed"}, {"speed": "assumed", "margins": ()}],
            [{}, {"speed": "assumed"}],
        ]


@pytest.mark.slow
def test_model_for_a_gpu_is_made_without_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(TensorRT, "supports", lambda *_: "there is none")
    config = write_config(tmp_path / "project")
    assert compress(config, tmp_path / "out", "--devices", "gpu") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == [
        "tensorrt"
    ]
    graph = onnx.load(str(tmp_path / "out/tensorrt/model.onnx")).graph
    codes = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    kinds = {each.data_type for each in graph.initializer if each.name in codes[0].input[2:]}
    assert kinds == {onnx.TensorProto.INT8}
    (made,) = report(tmp_path / "out")["backends"]
    assert (made["backend"], made["ratio"]) == ("tensorrt", None)
    assert made["int8_layers"] > 0


class TestRefusals:
    @pytest.mark.parametrize("method", ["PTQQ", "Offline", "given"])
    def test_unknown_method(self, tmp_path, capsys, method):
        assert compress(write_config(tmp_path / "project"), tmp_path / "out", method=method) == 2
        assert capsys.readouterr().err == (
            f"fqbench: there is no method {method!r}: the methods are PTQ, QAT, offline,"
            " distillation, modelopt, nncf, nncf_accuracy, nncf_advised, ort_advised, ort_static,"
            " paddleslim_ptq, paddleslim_published\n"
        )

    def test_images_that_cannot_be_read_are_named(self, tmp_path, capsys):
        config = write_config(tmp_path / "project")
        for name in ("02.png", "05.png"):
            (tmp_path / "project" / "calibration" / name).write_bytes(b"no image")
        assert compress(config, tmp_path / "out") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(
            f"fqbench: Global.ptq_image_path: 2 of {CALIBRATING} images are unusable: "
        )
        assert "02.png" in line
        assert "05.png" in line

    def test_config_that_is_not_there(self, tmp_path, capsys):
        assert compress(tmp_path / "none.yaml", tmp_path / "out") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"fqbench: cannot read config {tmp_path / 'none.yaml'}: ")

    def test_shape_that_does_not_fit(self, tmp_path, capsys):
        own = {"resize": {"kind": "stretch", "size": [16, 16]}}
        config = write_config(tmp_path / "project", {"Global.ptq_preprocess": own})
        assert compress(config, tmp_path / "out") == 2
        assert "input 'x' has shape [1, 3, 32, 32]" in capsys.readouterr().err

    def test_folder_of_others(self, tmp_path, capsys):
        config = write_config(tmp_path / "project")
        (tmp_path / "out" / "paddle").mkdir(parents=True)
        (tmp_path / "out" / "paddle" / "notes.txt").write_text("mine")
        assert compress(config, tmp_path / "out") == 2
        assert "paddle holds notes.txt, which is no file of an earlier run" in (
            capsys.readouterr().err
        )
        assert files(tmp_path / "out") == ["paddle/notes.txt"]


@pytest.mark.slow
@needs_paddle
def test_one_backend_that_fails_leaves_the_other(made, tmp_path, monkeypatch, capsys):
    def lowered(self, backend, *, everything=False):
        if backend == "paddle":
            raise StepError("the model cannot be converted to Paddle: Foo")
        return original(self, backend, everything=everything)

    original = ModelGraph.lowered
    config, out = made / "project" / "config.yaml", tmp_path / "out"
    assert compress(config, out) == 0
    monkeypatch.setattr(ModelGraph, "lowered", lowered)
    assert compress(config, out) == 1
    assert files(out) == [MODELS[0], *REPORTS]
    assert "fqbench: paddle: the model cannot be converted to Paddle: Foo\n" in (
        capsys.readouterr().err
    )
    reasons = {each["backend"]: each["reason"] for each in report(out)["backends"]}
    assert reasons["paddle"].endswith("to Paddle: Foo")


@pytest.mark.slow
def test_interruption(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "make", interrupted)
    assert compress(write_config(tmp_path / "project"), tmp_path / "out") == 130
    assert files(tmp_path / "out") == []


def test_two_runs_into_one_folder(tmp_path, capsys):
    config, out = write_config(tmp_path / "project"), tmp_path / "out"
    with alone_in(out):
        assert compress(config, out) == 2
        assert files(out) == []
        assert f"--save_dir: another fqbench compress is writing to {out}: wait until" in (
            capsys.readouterr().err
        )
        with alone_in(tmp_path / "other"):
            pass
    with alone_in(out):
        pass


class TestDelivery:
    @pytest.fixture
    def source(self, tmp_path) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        for name in ("model.pdmodel", "model.pdiparams"):
            (folder / name).write_text(f"new {name}")
        return folder

    @pytest.fixture
    def out(self, tmp_path) -> Path:
        """With an earlier model."""
        folder = tmp_path / "out"
        (folder / "paddle").mkdir(parents=True)
        (folder / "paddle" / "model.pdmodel").write_text("old")
        return folder

    def test_takes_the_place_of_an_earlier_model(self, source, out):
        check_folder(out, ["paddle"])
        written = deliver(source, "paddle", out)
        assert [path.read_text() for path in written] == [
            "new model.pdmodel",
            "new model.pdiparams",
        ]
        assert files(out) == ["paddle/model.pdiparams", "paddle/model.pdmodel"]

    @pytest.mark.parametrize("copied", [0, 1])
    def test_cut_off_while_it_copies_leaves_the_earlier_model(
        self, source, out, monkeypatch, copied
    ):
        original, done = delivery._copy, []

        def copy(*paths):
            if len(done) == copied:
                raise KeyboardInterrupt
            done.append(paths)
            original(*paths)

        monkeypatch.setattr(delivery, "_copy", copy)
        with pytest.raises(KeyboardInterrupt):
            deliver(source, "paddle", out)
        assert files(out) == ["paddle/model.pdmodel"]
        assert (out / "paddle" / "model.pdmodel").read_text() == "old"

    def test_killed_while_it_copies(self, source, out):
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from fqbench.compress import deliver as delivery\n"
            "delivery.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
            "delivery.deliver(Path(sys.argv[1]), 'paddle', Path(sys.argv[2]))\n"
        )
        command = [sys.executable, "-c", script, str(source), str(out)]
        killed = subprocess.run(command, cwd=ROOT, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert (out / "paddle" / "model.pdmodel").read_text() == "old"
        assert len(files(out)) == 2
        check_folder(out, ["paddle"])
        assert files(out) == ["paddle/model.pdmodel"]

    def test_what_a_killed_run_left_goes(self, source, out):
        (out / ".compress-abc" / "paddle").mkdir(parents=True)
        (out / ".compress-abc" / "paddle" / "model.pdmodel").write_text("half")
        check_folder(out, ["paddle"])
        assert files(out) == ["paddle/model.pdmodel"]

    def test_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        wanted = pytest.raises(UsageError, match=r"--save_dir: cannot write to .*file")
        with wanted, alone_in(tmp_path / "file"):
            pass
        with wanted:
            check_folder(tmp_path / "file", ["paddle"])


@pytest.mark.slow
def test_detector_that_ends_in_non_maximum_suppression(tmp_path):
    """The model is written without it, and the report says how to do it."""
    config = write_config(
        tmp_path,
        {
            "Global.model_dir": "net",
            "Global.format": "paddle",
            "Global.input_list": ["image", "scale_factor"],
            "Global.ptq_preprocess": "ppyoloe_withNMS_image_preprocess",
            "QuantAware.quantize_op_types": ["conv2d", "depthwise_conv2d", "conv2d_transpose"],
        },
    )
    (tmp_path / "net").mkdir()
    np.save(tmp_path / "net" / "image.npy", np.zeros((1, 3, 32, 32), np.float32))
    settings = {"score_threshold": 0.05, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 7}
    arguments = {"folder": str(tmp_path / "net"), "attributes": settings}
    _run("tests.support.paddle_nms:write_detector", arguments, {}, WATCH)
    assert compress(config, tmp_path / "out") == 0
    session = ort.InferenceSession(str(tmp_path / "out" / MODELS[0]))
    assert [value.name for value in session.get_inputs()] == ["image", "scale_factor"]
    assert [value.shape for value in session.get_outputs()] == [[1, 16, 4], [1, 3, 16]]
    assert (
        "The model's non-maximum suppression is cut off, do it after the model: score 0.05,"
        " IoU 0.5, 7 boxes." in (tmp_path / "out" / "report.md").read_text()
    )
    told = {each["key"]: each["meaning"] for each in report(tmp_path / "out")["settings"]}
    assert told["QuantAware.quantize_op_types"] == (
        "0 of 3 layers stay in float for it; 0 of conv2d_transpose do too, fqbench does not"
        " quantize them"
    )


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (
            (0.5, 0.25, 0.75),
            "ONNX Runtime: trained for 20 iterations, all iterations are done; kept are the weights"
            " after 10, which lose 0.25 points, as estimated on images held out, instead of 0.50.",
        ),
        (
            (0.5, 0.75, 0.75),
            "ONNX Runtime: trained for 20 iterations, all iterations are done; none of them made it"
            " better, and the weights from before are kept.",
        ),
    ],
)
def test_what_training_brought(points, sentence):
    evaluations = [
        Evaluation(10 * number, None, lost / 15, lost) for number, lost in enumerate(points)
    ]
    history = History(tuple(evaluations), 1.0, "all iterations are done")
    made = BuildResult("onnxruntime", layers=3, int8_layers=3, ratio=2.0, training=history)
    assert list(notes(made, "top1", "any")) == [sentence]
