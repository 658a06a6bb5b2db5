"""The call of PaddleSlim. Imports paddle."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from fqbench.convert.program import STEM, load

FILES = (f"{STEM}.pdmodel", f"{STEM}.pdiparams")

PUBLISHED = {
    "algo": "avg",
    "hist_percent": 0.999,
    # PaddleSlim's default at that time.
    "quantizable_op_type": ["conv2d", "depthwise_conv2d", "mul"],
    "is_full_quantize": False,
    "bias_correction": False,
    "onnx_format": True,
}
"""What FastDeploy's tool calls ``quant_post_static`` with."""


class Images(Protocol):
    """The tensors of a model's inputs for each image, which are read when they are asked for."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, number: int) -> Sequence[NDArray[Any]]:
        """Those of one."""


def quantize_program(source: Path, target: Path, images: Images, *, published: bool) -> None:
    """Write the Paddle program in ``source`` in INT8 into ``target``, calibrated on ``images``."""
    import paddle
    from paddleslim.quant import quant_post_static

    program = load(source)

    class Calibration(paddle.io.Dataset):  # type: ignore[misc]
        """The loader puts single tensors into batches: each is given without its first axis."""

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, number: int) -> tuple[NDArray[Any], ...]:
            return tuple(tensor[0] for tensor in images[number])

    loader = paddle.io.DataLoader(
        Calibration(),
        feed_list=[program.block.var(name) for name in program.feeds],
        return_list=False,
        batch_size=1,
        places=[paddle.CPUPlace()],
    )
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        quant_post_static(
            program.executor,
            str(source),
            scratch,
            data_loader=loader,
            model_filename=FILES[0],
            params_filename=FILES[1],
            batch_size=1,
            batch_nums=len(images),
            **(PUBLISHED if published else {}),
        )
        for name in FILES:
            shutil.copyfile(Path(scratch) / name, target / name)
