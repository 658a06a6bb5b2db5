"""What test_lower_paddle.py runs in a child process: paddle is never imported beside pytest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from tests.support.jobs import do

DATA_TYPE = "mkldnn_data_type"


def quantize_and_run(arguments, report):
    """Take ``source`` through the real steps with a given record; return what was found.

    Writes the results of each cell as ``fp32.npy`` and ``int8.npy`` into ``folder``. The digests
    of ``lost`` stand for weights that the Paddle program lacks.
    """
    from fqbench.backends.paddle.layers import layers
    from fqbench.backends.paddle.lower import write
    from fqbench.backends.paddle.runtime import PaddleInference
    from fqbench.convert.program import load
    from fqbench.quantize.record import Quantization

    folder = Path(arguments["folder"])
    canonical, fp32, int8 = (folder / name for name in ("canonical", "fp32", "int8"))
    for made in (canonical, fp32, int8):
        made.mkdir()
    source = {"source": [arguments["source"]], "input_shape": arguments["input_shape"]}
    do("canonical", canonical, **source)
    do("converted", fp32, canonical=str(canonical), backend="paddle")
    model = onnx.load(str(canonical / "model.onnx"))
    operators = load(fp32).block.ops
    chosen = layers(model, Quantization.read(Path(arguments["record"])))
    chosen = [
        replace(layer, weight="of another program") if layer.weight in arguments["lost"] else layer
        for layer in chosen
    ]
    written = len(write(fp32, chosen, int8))
    image = np.load(arguments["image"])
    running, optimized, integers = {}, {}, {}
    for precision in ("fp32", "int8"):
        runner = PaddleInference().prepare(
            folder / precision, device="cpu", precision=precision, threads=1
        )
        np.save(folder / f"{precision}.npy", runner.run([image])[0])
        running[precision] = runner.int8_convolutions()
        optimized[precision] = optimized_operators(runner, folder)
        integers[precision] = [kind for kind, integer in optimized[precision] if integer]
    return {
        "operators": [
            {"type": op.type, "inputs": sorted(k for k in op.input_names if op.input(k))}
            for op in operators
        ],
        "planned": len(chosen),
        "written": written,
        "running": running,
        "optimized": {name: [kind for kind, _ in found] for name, found in optimized.items()},
        "integers": integers,
    }


def convert_and_run(arguments, report):
    """Convert ``source.onnx``, run it on ``image.npy``; return the operators and constants.

    Writes the results as ``result_0.npy`` and so on into ``folder``.
    """
    from fqbench.backends.paddle.runtime import PaddleInference
    from fqbench.convert.program import load

    folder = Path(arguments["folder"])
    canonical, fp32 = folder / "canonical", folder / "fp32"
    canonical.mkdir()
    fp32.mkdir()
    source = {"source": [str(folder / "source.onnx")], "input_shape": arguments["input_shape"]}
    do("canonical", canonical, **source)
    do("converted", fp32, canonical=str(canonical), backend="paddle")
    runner = PaddleInference().prepare(fp32, device="cpu", precision="fp32", threads=1)
    for number, result in enumerate(runner.run([np.load(folder / "image.npy")])):
        np.save(folder / f"result_{number}.npy", result)
    # ``load`` takes a scale from the end of a program, where the file has one.
    block = load(fp32).block
    read = {name for op in block.ops if op.type != "feed" for name in op.input_arg_names}
    return {
        "operators": operators_of((fp32 / "model.pdmodel").read_bytes()),
        "constants": [list(v.shape) for n, v in block.vars.items() if n in read and v.persistable],
    }


def refusals(arguments, report):
    """What is said about each of the models ``names`` in ``folder``, none of which converts."""
    from fqbench.convert.paddle_program import onnx_to_paddle
    from fqbench.errors import StepError

    folder, said = Path(arguments["folder"]), {}
    for name in arguments["names"]:
        try:
            onnx_to_paddle(folder / f"{name}.onnx", folder)
        except StepError as error:
            said[name] = str(error)
    return said


def convert_wrongly(arguments, report):
    """What is said where operators of a ``kind`` are converted to one that is off by a tenth.

    The operator is searched for in this process: another would convert rightly.
    """
    import paddle

    from fqbench.backends.paddle import checking
    from fqbench.convert import paddle_writer
    from fqbench.errors import StepError

    right = paddle_writer.REGISTRY[arguments["kind"]]
    paddle_writer.REGISTRY[arguments["kind"]] = lambda op: paddle.scale(right(op), 1.1)
    checking.isolate.call = lambda function, given, **_: checking.search_program(given, report)
    folder = Path(arguments["folder"])
    try:
        do("converted", folder, canonical=str(folder), backend="paddle")
    except StepError as error:
        return str(error)
    return None


def time_forms(arguments, report):
    """Time the forms of ``model.onnx`` with ``record.json`` that are tried for their speed."""
    from fqbench.backends.variants import variants
    from fqbench.graph.graph import Graph
    from fqbench.quantize.record import Quantization
    from fqbench.quantize.setting import Setting
    from fqbench.tune.forms import candidate_forms
    from fqbench.tune.speed import time_rounds

    folder = Path(arguments["folder"])
    model = onnx.load(str(folder / "model.onnx"))
    quantization = Quantization.read(folder / "record.json")
    settings = {
        text: Setting(float_layers=kept)
        for text, kept in candidate_forms(Graph(model), ({}, {})).items()
    }
    made = variants("paddle", model, quantization, folder)
    timed = time_rounds(made.calls(settings, [np.ones(arguments["shape"], np.float32)], 1), 1)
    return {text: min(times) for text, times in timed.items()}


def operators_of(data):
    """Types of the operators of a serialized program, in order."""
    return [op.type for op in program_of(data).global_block().ops]


def program_of(data):
    import paddle

    paddle.enable_static()
    return paddle.static.Program.parse_from_string(data)


def optimized_operators(runner, folder):
    """The operators that Paddle Inference runs, in order: type, and whether in integers."""
    import paddle.inference

    config = runner._config()
    config.enable_save_optim_model(True)
    config.set_optim_cache_dir(str(folder))
    paddle.inference.create_predictor(config)
    return [
        (op.type, op.has_attr(DATA_TYPE) and op.attr(DATA_TYPE) == "int8")
        for op in program_of((folder / "_optimized.pdmodel").read_bytes()).global_block().ops
    ]
