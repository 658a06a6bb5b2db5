"""``fqbench best``: from a spec to the winner's files, and what it says where there is none."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fqbench.artifacts import Store, file_digest
from fqbench.backends import backend, backends
from fqbench.backends.record import resolve
from fqbench.backends.snippet import SnippetRequest
from fqbench.best import search
from fqbench.best.candidates import Candidate, candidates, default_methods, not_tried
from fqbench.best.deliver import deliver, meaning, remove_earlier, type_and_shape
from fqbench.best.entry import Entry, Found, Trade
from fqbench.best.front import NO_DROP, Budget, Figures
from fqbench.best.timing import Effort
from fqbench.cells import Cell, matrix
from fqbench.cli.main import main
from fqbench.environments.interpreter import interpreter
from fqbench.errors import UsageError
from fqbench.measure.cell_loading import Reading
from fqbench.measure.stats import Interval
from fqbench.methods import methods
from fqbench.pipeline import decisions
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.prepare import find_specs, prepare
from fqbench.report.best import line, sentences
from fqbench.report.tradeoff import show_tradeoff
from fqbench.spec.inputs import Constant, Filled, ImageForm, ImageSize
from fqbench.spec.load import load_spec
from fqbench.steps.executor import LocalExecutor
from fqbench.tasks.registry import metrics
from fqbench.tune.choice import ACCURACY, Choice
from fqbench.tune.tradeoff import LayerTrade, Pair, Tradeoff
from tests.support.quick_fqbench import BUDGET
from tests.support.tiny_spec import write_spec

ROOT = Path(__file__).parents[2]

RUNTIME = ("onnxruntime", "cpu")

QUICK = ("--backends", "onnxruntime", "--devices", "cpu")

BLOCKED = """\
import pathlib, sys
sys.modules["fqbench"] = None
sys.path.insert(0, {folder!r})
import numpy, load
assert not any(name.startswith("fqbench.") for name in sys.modules)
inputs = [numpy.load({given!r})]
numpy.savez({out!r}, *load.load(pathlib.Path({folder!r}))(inputs))
"""

OWN = """\
import pathlib, sys
sys.path.insert(0, {root!r})
import numpy
from fqbench.backends import runtime
runner = runtime({backend!r}).prepare(
    pathlib.Path({folder!r}), device="cpu", precision={precision!r}, threads=1
)
numpy.savez({out!r}, *runner.run([numpy.load({given!r})]))
"""


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, models_read_here):
    """Hardly any timing, and lines as long as they are."""
    monkeypatch.delenv("FQBENCH_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(search, "EFFORT", Effort(BUDGET, BUDGET))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def said(capsys) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def graph_of(folder: Path, executor: LocalExecutor) -> ModelGraph:
    specs, _ = find_specs([write_spec(folder)], None, None, executor)
    return prepare(specs, executor).models[0].graph


class TestCommand:
    @pytest.mark.slow
    def test_winner_is_named_and_written(self, capsys, tmp_path):
        out = tmp_path / "out"
        spec = write_spec(tmp_path)
        assert run("best", spec, *QUICK, "--drop", "100", "--save-dir", out, "--quiet") == 0
        shown, told = said(capsys)
        assert "Ship ONNX Runtime " in shown
        assert "inside the budget of a drop of 100 points" in shown
        assert f"Written: {out / 'load.py'}" in told
        story = json.loads((out / "provenance.json").read_text())
        assert story["files"] == {"model.onnx": file_digest(out / "model.onnx")}
        assert story["source"] == {"tiny.onnx": file_digest(tmp_path / "tiny.onnx")}
        assert story["budget"] == {
            "drop": 100.0,
            "ms": None,
            "size_mb": None,
            "judge": "estimate",
        }
        assert story["evaluation"]["images"] == 12
        assert story["machine"]["cpu"]["model"]
        assert story["latency_ms"]["value"] > 0
        assert (story["precision"] == "int8") == (story["calibration"] is not None)
        done = subprocess.run(
            [sys.executable, out / "load.py"], check=True, capture_output=True, text=True
        )
        assert done.stdout == "float32 (1, 4)\n"
        head = ast.get_docstring(ast.parse((out / "load.py").read_text()))
        assert head.startswith("Loads tiny with its runtime only, and runs it once.")
        versions = story["machine"]["versions"]
        assert f"onnxruntime {versions['onnxruntime']}, numpy {versions['numpy']}." in head

    @pytest.mark.slow
    def test_without_a_folder_it_is_said_how_to_get_the_file(self, capsys, tmp_path):
        spec = write_spec(tmp_path)
        precisions = ("--precisions", "fp32")
        assert run("best", spec, *QUICK, *precisions, "--drop", "100", "--quiet") == 0
        shown, told = said(capsys)
        assert "Ship ONNX Runtime FP32" in shown
        assert "--save-dir DIR writes the file and what loads it" in told

    @pytest.mark.slow
    def test_nothing_inside_is_said_with_what_comes_nearest(self, capsys, tmp_path):
        out = tmp_path / "out"
        spec = write_spec(tmp_path)
        assert run("best", spec, *QUICK, "--ms", "1e-9", "--save-dir", out, "--quiet") == 1
        shown, _ = said(capsys)
        assert "Nothing is known to be inside the budget of 1e-09 ms. Nearest comes ONNX" in shown
        assert not out.exists()

    @pytest.mark.slow
    def test_a_small_file_is_asked_for_whatever_is_faster(self, capsys, tmp_path):
        # This one is faster in float.
        spec = write_spec(tmp_path, speed="measured")
        assert run("best", spec, *QUICK, "--size", "0.01", "--quiet") in (0, 1)
        shown, _ = said(capsys)
        assert "float is faster" not in shown
        assert "ONNX Runtime INT8 by offline" in shown

    @pytest.mark.slow
    def test_what_the_images_cannot_tell_is_said_before_anything_runs(
        self, capsys, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("FQBENCH_CACHE", str(tmp_path / "cache"))
        spec = write_spec(tmp_path)
        assert run("best", spec, *QUICK, "--drop", "0.5", "--dry-run") == 0
        shown, told = said(capsys)
        assert told.startswith("tiny: 12 images hardly tell a drop of 0.5 points: ")
        assert "At most " in shown
        assert not (tmp_path / "cache" / "canonical").exists()

    @pytest.mark.slow
    def test_default_is_the_margin_of_the_model(self, capsys, tmp_path):
        margins = [{"drop": 90.0, "source": "a test", "reason": "to be seen"}]
        assert run("best", write_spec(tmp_path, margins=margins), *QUICK, "--quiet") == 0
        assert "a drop of 90 points" in said(capsys)[0]

    @pytest.mark.parametrize("limit", ["-1", "nan", "inf", "much"])
    @pytest.mark.parametrize("option", ["--drop", "--ms", "--size"])
    def test_a_budget_that_is_none(self, option, limit, capsys, tmp_path):
        with pytest.raises(SystemExit) as caught:
            run("best", write_spec(tmp_path), f"{option}={limit}")
        assert caught.value.code == 2
        assert f"'{limit}' is not a number of 0 or more" in said(capsys)[1]

    @pytest.mark.parametrize("option", ["--ms", "--size"])
    def test_a_budget_that_nothing_can_be_inside(self, option, capsys, tmp_path):
        with pytest.raises(SystemExit) as caught:
            run("best", write_spec(tmp_path), option, "0")
        assert caught.value.code == 2
        assert "nothing is inside 0" in said(capsys)[1]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ((), "no model is named: give a spec file, or --models with a name of the zoo"),
            (
                ("--models", "digits_mobilenet_v1", "digits_yolov5"),
                "2 models are named: fqbench best takes one at a time",
            ),
            (
                ("--models", "digits_mobilenet_v1", "--backends", "tensorrt", "--devices", "cpu"),
                "none of what was chosen runs here: tensorrt: TensorRT runs on NVIDIA GPUs only",
            ),
        ],
    )
    def test_bad_input(self, arguments, sentence, capsys):
        assert run("best", *arguments, "--quiet") == 2
        assert sentence in said(capsys)[1]


class TestCandidates:
    def test_those_that_take_minutes_are_asked_for(self):
        assert {"offline", "nncf", "ort_advised"} <= set(default_methods())
        assert not {"distillation", "nncf_accuracy", "paddleslim_ptq"} & set(default_methods())

    def test_every_precision_and_method(self, tmp_path, shared_cache):
        graph = graph_of(tmp_path, LocalExecutor(Store(shared_cache)))
        cells = matrix(["tiny"], ["onnxruntime"])
        names = [each.name for each in candidates([graph], cells)]
        assert names == ["onnxruntime-cpu-fp32", f"onnxruntime-cpu-int8-{graph.method}"]

    @pytest.mark.slow
    def test_one_of_each_method_and_the_file_as_given(self, tmp_path, shared_cache):
        executor = LocalExecutor(Store(shared_cache))
        spec = write_spec(tmp_path, int8={"model": "tiny.onnx"})
        specs, _ = find_specs([spec], None, None, executor)
        graphs = [
            prepare(specs, executor, method=name).models[0].graph
            for name in ("offline", "distillation")
        ]
        cells = matrix(["tiny"], ["onnxruntime"], ["cpu"])
        found = list(candidates(graphs, cells))
        assert [each.name for each in found] == [
            "onnxruntime-cpu-fp32",
            "onnxruntime-cpu-int8-offline",
            "onnxruntime-cpu-int8_file",
            "onnxruntime-cpu-int8-distillation",
        ]
        assert [each.label for each in found][2] == "ONNX Runtime INT8 file as given"
        assert [each.is_float for each in found] == [True, False, False, False]

    def test_what_is_not_tried_says_why(self, tmp_path, shared_cache):
        graph = graph_of(tmp_path, LocalExecutor(Store(shared_cache)))
        cells = matrix(["tiny"], ["onnxruntime", "tensorrt"], ["cpu"])
        assert not_tried([graph], cells) == {"tensorrt": "TensorRT runs on NVIDIA GPUs only"}
        unlike = replace(graph.quantizer, name="unlike", label="Unlike", backends=("tensorrt",))

        class Other(ModelGraph):
            method = "unlike"
            quantizer = unlike

            def __init__(self):
                pass

        assert not_tried([graph, Other()], cells)["unlike"] == (
            "Unlike makes INT8 models for TensorRT only"
        )

    @pytest.mark.slow
    def test_one_file_in_two_precisions_is_two(self, tmp_path, shared_cache):
        cells = [Cell("tiny", "openvino", "cpu", each) for each in ("fp32", "bf16")]
        if any(cell.unsupported is not None for cell in cells):
            pytest.skip("OpenVINO runs no BF16 here")
        executor = LocalExecutor(Store(shared_cache))
        tried = [Candidate(graph_of(tmp_path, executor), cell) for cell in cells]
        found = search.find(tried, Budget(drop=1.0), executor)
        assert [each.status for each in found.entries] == ["runs", "runs"]

    @pytest.mark.slow
    def test_failure_of_one_is_its_own(self, tmp_path, monkeypatch, shared_cache):
        executor = LocalExecutor(Store(shared_cache))
        graph = graph_of(tmp_path, executor)
        tried = list(candidates([graph], matrix(["tiny"], ["onnxruntime"])))

        artifact = ModelGraph.artifact

        def broken(self, cell, batch=1):
            if cell.precision == "int8":
                raise UsageError("broken")
            return artifact(self, cell, batch)

        monkeypatch.setattr(ModelGraph, "artifact", broken)
        found = search.find(tried, Budget(ms=1000.0), executor)
        assert found.winner == "onnxruntime-cpu-fp32"
        (failed,) = (each for each in found.entries if not each.candidate.is_fp32)
        assert failed.why == "cannot be made: broken"


class TestTrading:
    """Points between INT8 and FP32, on a model whose INT8 is not inside the budget."""

    def base_of(self, folder, cache):
        executor = LocalExecutor(Store(cache))
        graph = graph_of(folder, executor)
        return executor, Candidate(graph, Cell("tiny", "onnxruntime", "cpu", "int8"))

    @pytest.fixture
    def base(self, tmp_path, shared_cache):
        return self.base_of(tmp_path, shared_cache)

    @pytest.mark.slow
    def test_a_point_is_a_file_of_its_own_made_by_ordinary_steps(self, tmp_path):
        # In a cache of its own, since it changes an artifact.
        executor, int8 = self.base_of(tmp_path, tmp_path / "cache")
        graph = int8.graph
        node = graph.tradeoff("onnxruntime")
        assert graph.tradeoff("onnxruntime") is node
        found = decisions.tradeoff_of(executor.run([node]).artifact(node))
        assert {each.name for each in found.layers} == {"n_conv0", "n_conv2", "n_gemm6"}
        chosen = decisions.choice_of(executor.finished.artifact(graph.choice("onnxruntime")))
        kept = replace(chosen, float_layers={"n_conv2": ACCURACY})
        replace(found, points=(kept,)).write(tmp_path_of(executor, node) / "tradeoff.json")
        traded = replace(int8, graph=graph.at_point(0), kept=1)
        assert traded.name == "onnxruntime-cpu-int8-offline-1_in_float"
        assert traded.label == "ONNX Runtime INT8 by offline, 1 layer kept in float"
        assert not traded.trades
        assert int8.trades
        made = executor.run([*traded.making, *int8.making, traded.graph.score(traded.cell)])
        plan = json.loads(made.artifact(traded.loads).file("plan.json").read_text())
        whole = json.loads(made.artifact(int8.loads).file("plan.json").read_text())
        assert whole["quantized"] > plan["quantized"] > 0

    @pytest.mark.slow
    def test_search_trades_where_int8_is_outside(self, base, monkeypatch):
        executor, int8 = base
        fp32 = Candidate(int8.graph, Cell("tiny", "onnxruntime", "cpu", "fp32"))
        # As if float were much slower, and INT8 lost much.
        monkeypatch.setattr(search, "why_not_traded", lambda *_: None)
        monkeypatch.setattr(search, "worth_making", lambda points, *_: list(range(len(points))))
        found = search.find([fp32, int8], Budget(drop=100.0), executor)
        (trade,) = found.trades
        assert trade.base == int8.name
        assert trade.tradeoff is not None
        assert all(found.entry(name).choice is not None for name in trade.tried)
        assert found.winner is not None
        assert found.seconds > 0

    @pytest.mark.slow
    def test_toolkits_are_bounded_by_what_was_lowered_here(self, base, monkeypatch):
        executor, int8 = base
        wholes = [
            name
            for name, each in methods().items()
            if each.offered and each.yields == "model" and each.unsupported(*RUNTIME) is None
        ]
        if not wholes:
            pytest.skip("no method that makes whole models is installed")
        whole = replace(int8, graph=int8.graph.by(wholes[-1]))
        assert whole.comes_whole
        assert not int8.comes_whole
        fp32 = Candidate(int8.graph, Cell("tiny", "onnxruntime", "cpu", "fp32"))
        asked = []

        def bounded(products, elsewhere):
            asked.append(len(elsewhere))
            return None

        monkeypatch.setattr(search, "most_gain", bounded)
        search.find([whole, fp32, int8], Budget(drop=100.0), executor)
        # First what is lowered here, when nothing is known, then what comes whole.
        assert asked == [0, 1]

    @pytest.mark.slow
    def test_what_cannot_win_is_not_made(self, base, monkeypatch):
        executor, int8 = base
        fp32 = Candidate(int8.graph, Cell("tiny", "onnxruntime", "cpu", "fp32"))
        monkeypatch.setattr(search, "beyond", lambda own, *_: own)
        found = search.find([fp32, int8], Budget(drop=100.0), executor)
        left = found.entry(int8.name)
        assert left.status == "left"
        assert left.why.startswith("not made: FP32 of its runtime takes 1.0 times as long as ONNX")
        assert int8.loads not in executor.finished


def tmp_path_of(executor, node):
    """Where the artifact of ``node`` is."""
    return executor.finished.artifact(node).path


class TestSnippet:
    @pytest.mark.slow
    @pytest.mark.parametrize("precision", ["fp32", "int8"])
    @pytest.mark.parametrize("name", ["onnxruntime", "openvino", "paddle"])
    def test_same_bytes_as_fqbench_with_the_runtime_alone(
        self, name, precision, tmp_path, shared_cache
    ):
        cell = Cell("tiny", name, "cpu", precision)
        if cell.unsupported is not None:
            pytest.skip(cell.unsupported)
        executor = LocalExecutor(Store(shared_cache))
        candidate = Candidate(graph_of(tmp_path, executor), cell)
        finished = executor.run(candidate.making)
        loadable = candidate.subject.loadable(finished)
        out, given = tmp_path / "out", tmp_path / "given.npy"
        entry = Entry(candidate, finished.artifact(candidate.loads), 1.0, drop=NO_DROP)
        found = Found(Budget(drop=0.5), (entry,))
        deliver(found, entry, loadable, out, threads=1, command="fqbench best")
        np.save(given, np.random.default_rng(3).normal(size=(1, 3, 32, 32)).astype(np.float32))
        said = {
            "root": str(ROOT),
            "backend": name,
            "precision": loadable.precision,
            "given": str(given),
        }
        program = interpreter(backend(name).environment).executable
        for code, folder, target in ((BLOCKED, out, "a"), (OWN, loadable.artifact, "b")):
            text = code.format(**said, folder=str(folder), out=str(tmp_path / f"{target}.npz"))
            subprocess.run([program, "-c", text], check=True, capture_output=True, timeout=120)
        alone, own = (np.load(tmp_path / f"{target}.npz") for target in "ab")
        assert alone.files == own.files
        for key in own.files:
            assert alone[key].tobytes() == own[key].tobytes()

    def test_inputs_are_as_the_file_takes_them(self, tmp_path):
        spec = load_spec(write_spec(tmp_path), None)
        form = ImageForm(layout="nhwc", type="uint8", batch=4)
        size = Filled(fill=ImageSize(kind="image_size", order="wh"), type="int64", shape=(1, 2))
        scale = Filled(fill=Constant(kind="constant", value=0.5), type="float32", shape=(1,))
        reading = Reading(
            preprocess=spec.preprocess,
            inputs=("image", "size", "scale"),
            form=form,
            others={"size": size, "scale": scale},
        )
        assert [type_and_shape(spec, reading, name) for name in reading.inputs] == [
            ("uint8", (4, 32, 32, 3)),
            ("int64", (1, 2)),
            ("float32", (1,)),
        ]
        assert [meaning(reading, name) for name in reading.inputs] == [
            "",
            ", height and width of the image as it was read; width comes first",
            ", always 0.5",
        ]
        plain = Reading(preprocess=spec.preprocess, inputs=("image", "scale_factor"))
        assert type_and_shape(spec, plain, "image") == ("float32", (1, 3, 32, 32))
        assert type_and_shape(spec, plain, "scale_factor") == ("float32", (1, 2))

    @pytest.mark.parametrize("name", list(backends()))
    def test_every_text_is_python_without_fqbench(self, name, tmp_path):
        (tmp_path / "bindings.json").write_text('{"inputs": ["x"], "outputs": ["y"]}')
        for device in ("cpu", "gpu"):
            text = resolve(backend(name).snippet)(SnippetRequest(tmp_path, device, "fp32", 2))
            tree = ast.parse(text)
            assert "load" in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            assert "fqbench" not in text


class TestFolder:
    def test_an_earlier_winner_goes_and_nothing_else(self, tmp_path):
        files = {"model.pdmodel": "", "../outside": ""}
        (tmp_path / "out").mkdir()
        story = json.dumps({"files": files})
        for name in ("model.pdmodel", "notes.txt", "load.py", "provenance.json"):
            (tmp_path / "out" / name).write_text(story)
        (tmp_path / "outside").write_text("")
        remove_earlier(tmp_path / "out")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]
        assert (tmp_path / "outside").exists()

    def test_a_provenance_that_is_none_is_left(self, tmp_path):
        (tmp_path / "provenance.json").write_text("[]")
        with pytest.raises(UsageError, match=r"the earlier winner in .* cannot be removed"):
            remove_earlier(tmp_path)
        assert (tmp_path / "provenance.json").exists()


def entry(candidate: Candidate, ms: float, **known: object) -> Entry:
    time = Interval(ms, ms - 0.1, ms + 0.1)
    return Entry(candidate, None, 2.0, time, time, **known)


class TestSentences:
    @pytest.fixture
    def both(self, tmp_path, shared_cache):
        graph = graph_of(tmp_path, LocalExecutor(Store(shared_cache)))
        fp32, int8 = candidates([graph], matrix(["tiny"], ["onnxruntime"]))
        return fp32, int8

    def test_winner_with_its_intervals_and_what_the_second_lacks(self, both):
        fp32 = entry(both[0], 4.0, drop=NO_DROP, accuracy=90.0)
        int8 = entry(
            both[1],
            2.0,
            drop=Interval(0.4, 0.1, 0.7),
            accuracy=89.6,
            to_float=Interval(2.0, 1.9, 2.1),
        )
        found = Found(
            Budget(drop=0.5, judge="interval"),
            (fp32, int8),
            best_float=fp32.name,
            winner=fp32.name,
            second=int8.name,
        )
        assert list(sentences(found, 500)) == [
            "Ship ONNX Runtime FP32 (4.00 (3.90 to 4.10) ms, drop 0 by definition, accuracy 90.00,"
            " 2.00 MB): the fastest inside the budget of a drop of 0.5 points.",
            "Runner-up: ONNX Runtime INT8 by offline (2.00 (1.90 to 2.10) ms, drop 0.40 (0.10 to"
            " 0.70) points, accuracy 89.60, 2.00 MB): whether its drop is at most 0.5 points is not"
            " known: the interval ends 0.20 points beyond; about 4500 images instead of 500 would"
            " tell, were the drop the same.",
        ]
        assert line(found, int8)[-1] == "not known: drop"
        assert line(found, fp32)[-1] == "winner"

    def test_a_winner_by_its_drop_as_measured(self, both):
        fp32 = entry(both[0], 4.0, drop=NO_DROP)
        int8 = entry(both[1], 2.0, drop=Interval(0.4, 0.1, 0.7))
        found = Found(Budget(drop=0.5), (fp32, int8), winner=int8.name)
        assert list(sentences(found, 500))[1] == (
            "Its drop is inside as measured; the interval ends 0.20 points beyond: about 4500"
            " images instead of 500 would tell, were the drop the same. --judge interval ships only"
            " what is known to be inside."
        )
        assert line(found, int8)[-1] == "winner"

    def test_layers_with_points_and_microseconds(self, both, capsys):
        layers = (LayerTrade("n_conv0", 0.01, measured=True, saved_ms=0.25),)
        layers += (LayerTrade("n_conv2", 0.001, measured=False, saved_ms=None),)
        chosen = Choice({"n_conv0": ACCURACY}, False, (), 0.0, 0.001, (), {}, slowdown=0.6)
        pair = Pair("n_conv0", "n_conv2", 0.02, 0.011, None, None)
        tradeoff = Tradeoff(layers, (pair,), (chosen,), 0.5)
        found = Found(Budget(drop=0.5), (entry(both[1], 2.0),))
        show_tradeoff(found, Trade(both[1].name, tradeoff), Console(width=200))
        shown = capsys.readouterr().out
        loses = metrics()["top1"].points_lost
        rows = [text.split() for text in shown.splitlines() if text.strip().endswith("of 1")]
        assert rows == [
            ["n_conv0", f"{loses(0.01):.3f}", "250", "1", "of", "1"],
            ["n_conv2", "about", f"{loses(0.001):.3f}", "-", "0", "of", "1"],
        ]
        assert f"1 in float: {loses(0.001):.2f} points, 0.60 of the time of FP32." in shown
        assert "they go to float together" in shown
        show_tradeoff(found, Trade(both[1].name, None, why="so"), Console(width=200))
        assert "ONNX Runtime INT8 by offline: no layers traded for speed: so" in (
            capsys.readouterr().out
        )

    def test_int8_beside_the_best_float(self, both):
        fp32 = entry(both[0], 4.0, drop=NO_DROP)
        int8 = entry(both[1], 2.0, drop=Interval(0.1, 0.0, 0.2), to_float=Interval(2.0, 1.9, 2.1))
        found = Found(
            Budget(drop=0.5),
            (fp32, int8),
            best_float=fp32.name,
            winner=int8.name,
            second=fp32.name,
        )
        _, beside, second = sentences(found, 500)
        assert beside == (
            "It is 2.00 times (1.90 to 2.10) as fast as the best float here (ONNX Runtime FP32)."
        )
        assert second.endswith("it takes 2.0 times as long.")

    def test_the_second_of_those_that_lose_least(self, both):
        fp32 = entry(both[0], 4.0, drop=NO_DROP)
        int8 = entry(both[1], 2.0, drop=Interval(0.4, 0.1, 0.7))
        found = Found(Budget(ms=9.0), (fp32, int8), winner=fp32.name, second=int8.name)
        assert list(sentences(found, 500))[-1].endswith("it loses 0.40 points more.")

    def test_nothing_inside(self, both):
        fp32 = entry(both[0], 4.0, drop=NO_DROP)
        found = Found(Budget(ms=3.0), (fp32,), best_float=fp32.name, nearest=fp32.name)
        assert list(sentences(found, None)) == [
            "Nothing is known to be inside the budget of 3 ms. Nearest comes ONNX Runtime FP32"
            " (4.00 (3.90 to 4.10) ms, drop 0 by definition, 2.00 MB): it takes 1.00 ms more than"
            " 3."
        ]

    def test_figures_are_of_what_was_timed(self, both):
        timed = entry(both[0], 4.0, drop=NO_DROP)
        assert timed.figures == Figures(
            "onnxruntime-cpu-fp32",
            Interval(4.0, 3.9, 4.1),
            Interval(4.0, 3.9, 4.1),
            2.0,
            NO_DROP,
        )
        assert Entry(both[0]).figures is None
