"""What test_operators.py runs in child processes: paddle is never imported beside pytest."""

import json
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator

from fqbench.errors import StepError
from tests.support.jobs import do
from tests.support.operator_cases import ENDED, cases
from tests.support.operator_graphs import SHAPE

IMAGES = 2
"""Beside those that conversions are checked with."""

HALF = 0.3
"""What any single value may be off in float16: a product of 64 numbers is by a fifth."""


def convert(arguments, report):
    """Take the cases called ``names`` through every conversion.

    Appends to ``results`` what is known of a case before each conversion and at the end: where
    one ends the process, what is written tells which.
    """
    from fqbench.backends.paddle import checking

    # Which operator differs is known; that it is found has tests of its own.
    checking._first_of_program = lambda model, feeds: None
    models = dict(cases())
    random = np.random.default_rng(11)
    feeds = [random.normal(0, s, SHAPE).astype(np.float32) for s in range(1, 1 + IMAGES)]
    with Path(arguments["results"]).open("a") as results:

        def write(line):
            results.write(json.dumps(line) + "\n")
            results.flush()

        for name in arguments["names"]:
            write({"name": name})
            note = partial(_note, write, name)
            note(converted(models[name], feeds, note))


def _note(write, name, found):
    write({"name": name, "found": found})


def converted(model, feeds, note):
    """Of each conversion: ``right``, ``refused`` with the reason, or ``wrong`` with how far off.

    What is known so far is handed to ``note`` before each.
    """
    from fqbench.convert.paddle_executor import as_written

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    wanted = [session.run(None, {"x": feed}) for feed in feeds]

    @cache
    def also():
        """What onnx's own evaluator computes: seconds for a Resize."""
        try:
            evaluator = ReferenceEvaluator(model)
            return [evaluator.run(None, {"x": feed}) for feed in feeds]
        except Exception:  # it lacks some operators
            return wanted

    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch, name) for name in ("canonical", "paddle", "half", "batch")}
        for folder in folders.values():
            folder.mkdir()
        onnx.save(model, f"{scratch}/source.onnx")
        canonical = {
            "source": [f"{scratch}/source.onnx"],
            "input_shape": list(SHAPE),
            "folder": str(folders["canonical"]),
        }
        graph = str(folders["canonical"])

        def attempt(name, step, arguments, run, tolerance=1e-3, truths=(lambda: wanted, also)):
            note({**found, name: ENDED})
            try:
                step(**arguments)
            except StepError as error:
                found[name] = f"refused: {error}"
                return False
            answers = run()
            offs = []
            for truth in truths:
                offs.append(distance(truth(), answers))
                if offs[-1] <= tolerance:
                    found[name] = "right"
                    return True
            found[name] = f"wrong: off by {min(offs):.3g}"
            return True

        def ran(folder):
            return [run(f"{folder}/model.onnx", feed) for feed in feeds]

        if not attempt(
            "canonical", partial(do, "canonical"), canonical, lambda: ran(folders["canonical"])
        ):
            return found
        made = {"canonical": graph, "folder": str(folders["half"])}
        attempt("half", half, made, lambda: ran(folders["half"]), HALF)
        made = {"model": graph, "folder": str(folders["batch"]), "batch": len(feeds)}
        attempt("batch", partial(do, "batched"), made, lambda: parted(folders["batch"], feeds))
        made = {"canonical": graph, "folder": str(folders["paddle"]), "backend": "paddle"}
        if attempt(
            "paddle", partial(do, "converted"), made, lambda: paddle(folders["paddle"], feeds)
        ):
            back = Path(scratch) / "back"
            back.mkdir()
            made = {
                "source": [f"{folders['paddle']}/model.{end}" for end in ("pdmodel", "pdiparams")],
                "input_shape": list(SHAPE),
                "folder": str(back),
            }
            # Of a Paddle model the truth is what Paddle computes operator by operator.
            exact = as_written(*map(Path, made["source"]), 1)
            truths = (lambda: [exact([feed]) for feed in feeds],)
            attempt("back", partial(do, "canonical"), made, lambda: ran(back), truths=truths)
    return found


def half(canonical, folder):
    """The step ``half``, whose images are files, on noise."""
    from fqbench.backends.tensorrt.half import half, large_tensors
    from fqbench.verify.conversion import check_half
    from fqbench.verify.noise import noise

    model = onnx.load(f"{canonical}/model.onnx")
    written = half(model, large_tensors(model, noise(model)))
    check_half(model, written, noise(model))
    onnx.save(written, f"{folder}/model.onnx")


def run(path, feed):
    """As ONNX Runtime runs it in a cell."""
    from fqbench.graph.executor import open_session, session_options

    session = open_session(Path(path), session_options(1, fuse_pairs=False))
    return session.run(None, {session.get_inputs()[0].name: feed})


def parted(folder, feeds):
    """The answers of a batch, one by one."""
    together = run(f"{folder}/model.onnx", np.concatenate(feeds))
    parts = [np.split(output, len(feeds)) for output in together]
    return [list(each) for each in zip(*parts, strict=True)]


def paddle(folder, feeds):
    from fqbench.backends.paddle.runtime import PaddleInference

    runner = PaddleInference().prepare(folder, device="cpu", precision="fp32", threads=1)
    return [runner.run([feed]) for feed in feeds]


def distance(wanted, found):
    """Largest difference over the deviation of what was wanted; of integers the part that differ.

    Unlike fqbench's own measure it asks for every single value.
    """
    return max(
        _distance(one, other)
        for ones, others in zip(wanted, found, strict=True)
        for one, other in zip(ones, others, strict=True)
    )


def _distance(one, other):
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    if one.shape != other.shape:
        return np.inf
    if not np.issubdtype(one.dtype, np.floating):
        return float(np.mean(one != other))
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return np.inf
    one, other = one[np.isfinite(one)].astype(float), other[np.isfinite(other)].astype(float)
    return float(np.abs(one - other).max(initial=0) / (one.std() + 1e-2 * np.abs(one).max() + 1e-9))
