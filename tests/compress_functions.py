"""What test_compress.py runs in child processes: the runtimes by themselves, without fqbench."""

import json
from pathlib import Path

import numpy as np


def paddle_answers(arguments, report):
    """The first output of a written Paddle model for each of ``inputs``, and its INT8 kernels."""
    import paddle.inference

    folder = Path(arguments["folder"])
    config = paddle.inference.Config(str(folder / "model.pdmodel"), str(folder / "model.pdiparams"))
    config.enable_mkldnn()
    config.enable_mkldnn_int8({"conv2d", "depthwise_conv2d", "fused_conv2d"})
    predictor = paddle.inference.create_predictor(config)
    found = []
    for values in np.load(arguments["inputs"]):
        predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(values[None])
        predictor.run()
        answer = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
        found.append(answer.ravel().tolist())
    return found


def write_paddle(arguments, report):
    """Write an ONNX model as a Paddle one."""
    from fqbench.pipeline import steps

    Path(arguments["folder"]).mkdir()
    steps.paddle_program(arguments, report)


def filters(arguments, report):
    """The name of the weight of each convolution of a Paddle model, and its shape."""
    from fqbench.convert.program import CONVOLUTIONS, load

    block = load(Path(arguments["folder"])).block
    names = [op.input("Filter")[0] for op in block.ops if op.type in CONVOLUTIONS]
    return json.loads(json.dumps([[name, block.var(name).shape] for name in names]))


def copied(arguments, report):
    """The names that the first output of a Paddle model had before it was copied, last first."""
    from fqbench.convert.program import load, producer_of

    program = load(Path(arguments["folder"]))
    names = [program.fetches[0].name]
    while (op := producer_of(program.block, names[-1])).type in ("scale", "assign"):
        names.append(op.input("X")[0])
    return names
