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
    config.enable_mkldnn_int8(
        {"conv2d", "depthwise_conv2d", "fused_conv2d", "concat", "pool2d", "nearest_interp_v2"}
    )
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
    from tests.support.jobs import do

    Path(arguments["folder"]).mkdir()
    do("converted", **arguments, backend="paddle")


def filters(arguments, report):
    """The name of the weight of each convolution of a Paddle model, and its shape."""
    from fqbench.convert.program import CONVOLUTIONS, load

    block = load(Path(arguments["folder"])).block
    names = [op.input("Filter")[0] for op in block.ops if op.type in CONVOLUTIONS]
    return json.loads(json.dumps([[name, block.var(name).shape] for name in names]))


def write_classifier(arguments, report):
    """Write a Paddle model as Paddle saves it, its output copied; return that output's name."""
    import paddle

    paddle.enable_static()
    image = paddle.static.data("image", [1, 3, 8, 8], "float32")
    scores = paddle.nn.functional.softmax(paddle.nn.Conv2D(3, 4, 8)(image).flatten(1))
    executor = paddle.static.Executor(paddle.CPUPlace())
    executor.run(paddle.static.default_startup_program())
    stem = str(Path(arguments["folder"]) / "model")
    paddle.static.save_inference_model(stem, [image], [scores], executor)
    return scores.name
