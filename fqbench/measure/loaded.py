"""A cell as a child process loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fqbench.backends import Runner, runtime
from fqbench.backends.base import Tensor
from fqbench.measure.latency import Call
from fqbench.spec import Preprocess
from fqbench.vision.image import read_image
from fqbench.vision.preprocess import model_inputs, prepare


def load(cell: dict[str, Any], threads: int) -> Runner:
    """What runs a cell: ``backend`` on ``device`` with its ``artifact`` in ``precision``."""
    return runtime(cell["backend"]).prepare(
        Path(cell["artifact"]), device=cell["device"], precision=cell["precision"], threads=threads
    )


def feed(cell: dict[str, Any], image: Any) -> list[Tensor]:
    """The tensors that a cell is given for an image, by its ``preprocess`` and ``inputs``.

    Where its inferences are of several images, each is this one.
    """
    preprocess = Preprocess.model_validate(cell["preprocess"])
    tensors = model_inputs(prepare(image, preprocess), cell["inputs"])
    batch = cell.get("batch", 1)
    return tensors if batch == 1 else [np.repeat(tensor, batch, axis=0) for tensor in tensors]


def call(cell: dict[str, Any], image: Path, threads: int) -> Call:
    """One inference of a cell on the image of a file."""
    runner, tensors = load(cell, threads), feed(cell, read_image(image))
    return lambda: runner.run(tensors)
