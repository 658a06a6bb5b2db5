"""The steps that run native code, each called by name in a child process of its own.

Arguments and results are JSON; files are passed by path. A step writes only into the folder
it is given.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import Any

from fqbench.data.ahead import ahead
from fqbench.errors import StepError
from fqbench.isolate import Report
from fqbench.measure import loaded
from fqbench.measure.agreement import agreement
from fqbench.spec import Preprocess
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare

Arguments = dict[str, Any]
Step = Callable[[Arguments, Report], None]


def _write_seconds(folder: Path, seconds: float) -> None:
    (folder / "timing.json").write_text(json.dumps({"seconds": seconds}))


def timed(step: Step) -> Step:
    """The step, which then records in its folder what it took."""

    @wraps(step)
    def measured(arguments: Arguments, report: Report) -> None:
        start = time.perf_counter()
        step(arguments, report)
        _write_seconds(Path(arguments["folder"]), time.perf_counter() - start)

    return measured


def canonical(arguments: Arguments, report: Report) -> None:
    """Write the canonical ONNX graph of ``source`` as ``model.onnx`` into ``folder``."""
    import onnx

    from fqbench.convert.canonical import canonicalize
    from fqbench.convert.paddle_program import paddle_to_onnx

    source, folder = Path(arguments["source"]), Path(arguments["folder"])
    exported = folder / "exported.onnx"
    if source.suffix == ".pdmodel":
        paddle_to_onnx(source, Path(arguments["params"]), exported)
        source = exported
    model = canonicalize(onnx.load(str(source)), tuple(arguments["input_shape"]))
    exported.unlink(missing_ok=True)
    onnx.save(model, str(folder / "model.onnx"))


def paddle_program(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``canonical`` as a Paddle inference model into ``folder``."""
    from fqbench.convert.paddle_program import onnx_to_paddle

    onnx_to_paddle(Path(arguments["canonical"]) / "model.onnx", Path(arguments["folder"]))


def zoo_model(arguments: Arguments, report: Report) -> None:
    """Write a published network with synthetic weights as a Paddle model into ``folder``."""
    from fqbench.zoo.export import export_synthetic

    preprocess = Preprocess.model_validate(arguments["preprocess"])
    export_synthetic(arguments["name"], preprocess, Path(arguments["folder"]))


@timed
def calibrate(arguments: Arguments, report: Report) -> None:
    """Find the ranges; write their record into ``folder``."""
    import onnx

    from fqbench.quantize import calibrate as quantize

    folder = Path(arguments["folder"])
    model = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    feeds = _feeds(arguments, report)
    offline = arguments["offline"]
    record = quantize.calibrate(model, feeds, offline["algorithm"], offline["keep_float"])
    record.write(folder / "quantization.json")
    onnx.save(model, str(folder / "model.onnx"))


@timed
def choose(arguments: Arguments, report: Report) -> None:
    """Decide which layers ``backend`` runs in float; write ``choice.json`` into ``folder``."""
    import onnx

    from fqbench.quantize.record import Quantization
    from fqbench.tune.choose import Wish, choose

    folder = Path(arguments["quantization"])
    model = onnx.load(str(folder / "model.onnx"))
    record = Quantization.read(folder / "quantization.json")
    wish = Wish(arguments["limit"], arguments["threads"])
    images = [_image(arguments, Path(path)) for path in arguments["images"]]
    feeds = [feed for feed, _ in images]
    teacher = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    judge = _judge(arguments, teacher, images)
    choice = choose(arguments["backend"], model, record, feeds, wish, report, judge)
    choice.write(Path(arguments["folder"]) / "choice.json")


def _judge(arguments: Arguments, teacher: Any, images: list[Any]) -> Any:
    """What tells how far a quantized model is from ``teacher`` on ``images``.

    A detector's answers, where it has any; the raw outputs of others.
    """
    from fqbench.quantize.graph import Graph
    from fqbench.spec import PPYoloe, YoloV5, YoloX
    from fqbench.tune.answers import SCORE, AnswersJudge
    from fqbench.tune.error import raw_outputs
    from fqbench.tune.search import OutputsJudge
    from fqbench.vision.decode import decoder

    kind = _decode(arguments)
    if isinstance(kind, YoloV5 | YoloX | PPYoloe):
        kind = kind.model_copy(update={"score": max(kind.score, SCORE)})
        size = Preprocess.model_validate(arguments["preprocess"]).resize.output
        judge = AnswersJudge.of(teacher, images, decoder(kind, size))
        if judge is not None:
            return judge
    return OutputsJudge.of(teacher, raw_outputs(Graph(teacher)), [feed for feed, _ in images])


def _decode(arguments: Arguments) -> Any:
    from pydantic import TypeAdapter

    from fqbench.spec import Decode

    return TypeAdapter(Decode).validate_python(arguments["decode"])


def distill(arguments: Arguments, report: Report) -> str | None:
    """Teach the INT8 model; write its graph, record and history into ``folder``.

    Returns a warning where there is one.
    """
    import onnx

    from fqbench.distill.distill import Task, distill
    from fqbench.distill.schedule import is_held_out
    from fqbench.quantize.record import Quantization
    from fqbench.spec.model import Distillation
    from fqbench.tune.choice import Choice

    folder, source = Path(arguments["folder"]), Path(arguments["quantization"])
    teacher, paths = onnx.load(str(source / "model.onnx")), arguments["images"]
    held = [
        _image(arguments, Path(path))
        for number, path in enumerate(paths)
        if is_held_out(number, len(paths))
    ]
    task = Task(
        arguments["backend"],
        teacher,
        Quantization.read(source / "quantization.json"),
        Choice.read(Path(arguments["choice"]) / "choice.json"),
        Distillation.model_validate(arguments["distillation"]),
        arguments["metric"],
        _decode(arguments),
        _judge(arguments, teacher, held),
    )
    feeds = _feeds(arguments, lambda done, total: report(done, total, "ask the teacher"))
    taught = distill(task, feeds, len(paths), Path(arguments["scratch"]), report)
    taught.record.write(folder / "quantization.json")
    onnx.save(taught.model, str(folder / "model.onnx"))
    (folder / "history.json").write_text(json.dumps(asdict(taught.history), indent=1))
    _write_seconds(folder, taught.history.seconds)
    return taught.warning


@timed
def lower_onnxruntime(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for ONNX Runtime into ``folder``."""
    import onnx

    from fqbench.lower.onnxruntime import layer_counts, lower

    folder = Path(arguments["folder"])
    model, quantization, choice = _quantized(arguments)
    lowered = lower(model, quantization, float_silu=choice.float_silu)
    onnx.save(lowered, str(folder / "model.onnx"))
    _write_plan(folder, *layer_counts(lowered))


@timed
def lower_paddle(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for Paddle Inference into ``folder``."""
    import onnx

    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.lower.paddle import write
    from fqbench.lower.paddle_layers import layers
    from fqbench.quantize.adapt import adapted
    from fqbench.quantize.graph import Graph

    folder = Path(arguments["folder"])
    model, quantization, _ = _quantized(arguments)
    names = [layer.name for layer in layers(model, quantization)]
    rounded = adapted(model, quantization, names)
    chosen = layers(rounded, quantization)
    with tempfile.TemporaryDirectory() as program:
        source = Path(program) / "source.onnx"
        onnx.save(rounded, str(source))
        onnx_to_paddle(source, Path(program))
        count = write(Path(program), chosen, folder)
    _write_plan(folder, len(Graph(model).layers()), count)


@timed
def lower_tensorrt(arguments: Arguments, report: Report) -> None:
    """Write the INT8 form of the graph in ``quantization`` for TensorRT into ``folder``.

    Its float parts are in float16, as far as ``images`` allow it.
    """
    import onnx

    from fqbench.lower.half import half, large_tensors
    from fqbench.lower.onnxruntime import layer_counts
    from fqbench.lower.tensorrt import lower

    folder = Path(arguments["folder"])
    model, quantization, _ = _quantized(arguments)
    lowered = lower(model, quantization)
    large = large_tensors(model, _feeds(arguments, report))
    onnx.save(half(lowered, large), str(folder / "model.onnx"))
    _write_plan(folder, *layer_counts(lowered))


def half(arguments: Arguments, report: Report) -> None:
    """Write the float16 form of the graph in ``canonical`` into ``folder``.

    What comes near to the end of float16 on one of ``images`` stays in float32.
    """
    import onnx

    from fqbench.lower import half

    model = onnx.load(str(Path(arguments["canonical"]) / "model.onnx"))
    large = half.large_tensors(model, _feeds(arguments, report))
    onnx.save(half.half(model, large), str(Path(arguments["folder"]) / "model.onnx"))


@timed
def engine(arguments: Arguments, report: Report) -> None:
    """Build the engine of the graph in ``model``; write it and what it computes into ``folder``."""
    import onnx

    from fqbench.backends.tensorrt import inspect
    from fqbench.backends.tensorrt.backend import NAMES
    from fqbench.backends.tensorrt.engine import ENGINE, build
    from fqbench.backends.tensorrt.library import LIBRARIES
    from fqbench.backends.tensorrt.network import layer_names

    folder, library = Path(arguments["folder"]), LIBRARIES[arguments["backend"]]
    content = Path(arguments["model"], "model.onnx").read_bytes()
    target, cache = arguments.get("target"), arguments.get("timing_cache")
    built = build(
        library,
        content,
        target=None if target is None else (target[0], target[1]),
        timing_cache=None if cache is None else Path(cache),
    )
    (folder / ENGINE).write_bytes(built)
    graph = onnx.load_model_from_string(content).graph
    weights = {tensor.name for tensor in graph.initializer}
    names = {
        "inputs": [value.name for value in graph.input if value.name not in weights],
        "outputs": [value.name for value in graph.output],
    }
    (folder / NAMES).write_text(json.dumps(names))
    found = inspect.layers(library, built)
    inspect.write(folder, inspect.layer_types(found, layer_names(graph)), found)


def _quantized(arguments: Arguments) -> tuple[Any, Any, Any]:
    """The graph of a quantization, its record as the choice applies it, and the choice.

    With ``everything`` no layer stays in float that the record does not keep there.
    """
    import onnx

    from fqbench.quantize.record import Quantization
    from fqbench.tune.choice import Choice

    folder = Path(arguments["quantization"])
    record = Quantization.read(folder / "quantization.json")
    model = onnx.load(str(folder / "model.onnx"))
    choice = Choice.read(Path(arguments["choice"]) / "choice.json")
    if arguments["everything"]:
        choice = replace(choice, float_layers=record.float_layers)
    return model, choice.applied(record), choice


def _write_plan(folder: Path, layers: int, quantized: int) -> None:
    """Record how many layers were quantized, for the check of what the runtime ran."""
    plan = {"convolutions": layers, "quantized": quantized}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, sort_keys=True))


def _feeds(arguments: Arguments, report: Callable[[int, int], None]) -> Iterator[list[Any]]:
    """The tensors of each of ``images``, read while the one before is worked on."""
    images = [Path(path) for path in arguments["images"]]
    read = ahead(lambda path: loaded.feed(arguments, read_image(path)), images, workers=1, most=2)
    for done, feed in enumerate(read, start=1):
        yield feed
        report(done, len(images))


def batched(arguments: Arguments, report: Report) -> None:
    """Write the graph in ``model`` for ``batch`` images at once into ``folder``."""
    import onnx

    from fqbench.backends.onnxruntime import open_session, session_options
    from fqbench.convert.batch import check, rebatched
    from fqbench.machine import usable_cores

    model = onnx.load(str(Path(arguments["model"]) / "model.onnx"))
    many = rebatched(model, arguments["batch"])

    def answering(graph: Any) -> Any:
        options = session_options(usable_cores(), fuse_pairs=False)
        session = open_session(graph.SerializeToString(), options)
        names = [value.name for value in session.get_inputs()]
        return lambda feed: session.run(None, dict(zip(names, feed, strict=True)))

    weights = {tensor.name for tensor in model.graph.initializer}
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in weights
    }
    check(shapes, arguments["batch"], answering(model), answering(many))
    onnx.save(many, str(Path(arguments["folder"]) / "model.onnx"))


def given_int8(arguments: Arguments, report: Report) -> None:
    """Write an INT8 model that was made elsewhere for ``backend`` into ``folder``."""
    from fqbench.convert.paddle_program import paddle_to_onnx
    from fqbench.convert.program import STEM

    folder, source = Path(arguments["folder"]), Path(arguments["source"])
    if arguments["backend"] != "paddle":
        target = folder / "model.onnx"
        if source.suffix == ".onnx":
            shutil.copyfile(source, target)
        else:
            paddle_to_onnx(source, Path(arguments["params"]), target)
    elif source.suffix == ".onnx":
        raise StepError(f"{source.name} is an INT8 file for ONNX Runtime, not for Paddle Inference")
    else:
        for path, suffix in ((source, ".pdmodel"), (Path(arguments["params"]), ".pdiparams")):
            shutil.copyfile(path, folder / f"{STEM}{suffix}")


def predict(arguments: Arguments, report: Report) -> None:
    """Run a cell over images; write its predictions and ``facts.json`` into ``folder``."""
    from fqbench.measure.evaluation import Evaluation, reported, share
    from fqbench.measure.prediction import write_predictions

    shared = share(arguments["backend"], arguments["device"], arguments["cores"])
    evaluation = Evaluation.of(arguments, shared.workers)
    runners = [loaded.load(arguments, shared.threads) for _ in range(shared.runners)]
    folder, samples = Path(arguments["folder"]), arguments["samples"]
    found = evaluation.answers(runners, ((number, Path(path)) for number, path in samples))
    write_predictions(folder, reported(found, len(samples), report))
    facts = {"int8_convolutions": runners[0].int8_convolutions()}
    (folder / "facts.json").write_text(json.dumps(facts))


def agree(arguments: Arguments, report: Report) -> None:
    """Compare the outputs of two cells on ``images``; write ``agreement.json`` into ``folder``."""
    cells = arguments["cells"]
    runners = [loaded.load(cell, arguments["threads"]) for cell in cells]
    found = []
    for done, path in enumerate(arguments["images"], start=1):
        image = read_image(Path(path))
        outputs = [r.run(loaded.feed(cell, image)) for r, cell in zip(runners, cells, strict=True)]
        found.append(agreement(*outputs))
        report(done, len(arguments["images"]))
    facts = {
        "agreement": sum(found) / len(found),
        "int8_convolutions": [runner.int8_convolutions() for runner in runners],
    }
    (Path(arguments["folder"]) / "agreement.json").write_text(json.dumps(facts, allow_nan=False))


def _image(cell: Arguments, path: Path) -> tuple[list[Any], Any]:
    """The tensors that ``cell`` is given for an image, and where it lies in them."""
    prepared = prepare(read_image(path), Preprocess.model_validate(cell["preprocess"]))
    return model_inputs(prepared, cell["inputs"]), prepared.geometry
