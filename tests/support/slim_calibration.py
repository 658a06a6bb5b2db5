"""What test_algorithms.py runs in a child process: the thresholds that PaddleSlim itself finds."""

import tempfile
from pathlib import Path

import numpy as np

SIDE = 64


def thresholds(arguments, report):
    """Thresholds of each run of ``runs``, pairs of algorithm and number of images, by tensor.

    What each image makes of each tensor is left in ``folder`` as IMAGE.npz.
    """
    import paddle

    paddle.enable_static()
    paddle.seed(0)
    folder, rng = Path(arguments["folder"]), np.random.default_rng(0)
    executor = paddle.static.Executor(paddle.CPUPlace())
    _write_network(executor, str(folder / "model"))
    most = max(count for _, count in arguments["runs"])
    images = [
        (strength * rng.normal(size=(3, SIDE, SIDE))).astype(np.float32)
        for strength in np.linspace(1.0, 2.0, most)
    ]
    found = [
        _by_slim(executor, folder, algorithm, images[:count])
        for algorithm, count in arguments["runs"]
    ]
    program, feeds, _ = paddle.static.load_inference_model(str(folder / "model"), executor)
    names = sorted(found[0])
    for index, image in enumerate(images):
        values = executor.run(program, feed={feeds[0]: image[None]}, fetch_list=names)
        np.savez(folder / f"{index}.npz", **dict(zip(names, values, strict=True)))
    return found


def kl(arguments, report):
    """What cal_kl_threshold makes of ``counts``, of bins of width 1."""
    from paddle.static.quantization.cal_kl_threshold import cal_kl_threshold

    return [float(cal_kl_threshold(np.array(c), 1.0, 8)) for c in arguments["counts"]]


def _write_network(executor, stem):
    import paddle
    from paddle.nn import functional
    from paddle.static import nn

    main, startup = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(main, startup):
        x = paddle.static.data("x", [1, 3, SIDE, SIDE], "float32")
        first = functional.relu6(nn.conv2d(x, 8, 3, bias_attr=False))
        result = nn.conv2d(first, 4, 3, bias_attr=False)
    executor.run(startup)
    paddle.static.save_inference_model(stem, [x], [result], executor, program=main)


def _by_slim(executor, folder, algorithm, images):
    import paddle
    from paddleslim.quant import quant_post_static

    graph, feeds, _ = paddle.static.load_inference_model(str(folder / "model"), executor)
    loader = paddle.io.DataLoader(
        [(image,) for image in images],
        feed_list=[graph.global_block().var(feeds[0])],
        return_list=False,
        batch_size=1,
        places=[paddle.CPUPlace()],
    )
    with tempfile.TemporaryDirectory() as target:
        quant_post_static(
            executor,
            str(folder),
            target,
            data_loader=loader,
            model_filename="model.pdmodel",
            params_filename="model.pdiparams",
            batch_size=1,
            batch_nums=len(images),
            algo=algorithm,
            quantizable_op_type=["conv2d"],
            weight_quantize_type="channel_wise_abs_max",
            onnx_format=True,
        )
        with paddle.static.scope_guard(paddle.static.Scope()):
            quantized, _, _ = paddle.static.load_inference_model(f"{target}/model", executor)
            return {
                op.input("X")[0]: _value(op.input("Scale")[0]).item()
                for op in quantized.global_block().ops
                if op.type == "quantize_linear"
            }


def _value(name):
    import paddle

    return np.asarray(paddle.static.global_scope().find_var(name).get_tensor())
