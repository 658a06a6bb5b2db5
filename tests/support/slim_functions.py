"""What test_given_int8.py runs in a child process: an INT8 file as PaddleSlim leaves it."""

from pathlib import Path

import numpy as np

from fqbench.convert.program import CONVOLUTIONS, STEM
from tests.support.jobs import do


def write_int8(arguments, report):
    """Quantize the ONNX file ``source`` [1, 3, side, side] by PaddleSlim alone, into ``target``."""
    import paddle
    from paddleslim.quant import quant_post_static

    folder, side = Path(arguments["folder"]), arguments["side"]
    canonical, program = folder / "canonical", folder / "program"
    for made in (canonical, program):
        made.mkdir()
    shape = {"source": [arguments["source"]], "input_shape": [1, 3, side, side]}
    do("canonical", canonical, **shape)
    do("converted", program, canonical=str(canonical), backend="paddle")
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    graph, feeds, _ = paddle.static.load_inference_model(str(program / STEM), executor)
    rng = np.random.default_rng(0)
    loader = paddle.io.DataLoader(
        [(image,) for image in rng.uniform(-2, 2, (4, 3, side, side)).astype(np.float32)],
        feed_list=[graph.global_block().var(feeds[0])],
        return_list=False,
        batch_size=1,
        places=[paddle.CPUPlace()],
    )
    quant_post_static(
        executor,
        str(program),
        arguments["target"],
        data_loader=loader,
        model_filename=f"{STEM}.pdmodel",
        params_filename=f"{STEM}.pdiparams",
        batch_size=1,
        batch_nums=4,
        algo="abs_max",
        quantizable_op_type=list(CONVOLUTIONS),
        weight_quantize_type="channel_wise_abs_max",
        onnx_format=True,
    )
