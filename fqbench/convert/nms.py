"""Models with non-maximum suppression inside, as PaddleDetection exports them, without it.

What it suppresses depends on the data, so it can be neither quantized nor converted. fqbench
does it after the model, in the same way for every backend. Imports paddle.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from fqbench.convert.program import STEM, load, save

OPERATORS = ("multiclass_nms", "multiclass_nms2", "multiclass_nms3")


def without_nms(model: Path, params: Path, folder: Path) -> tuple[Path, Path]:
    """The Paddle model and its parameters, rewritten into ``folder`` where it holds an NMS.

    Its outputs are then the boxes [1, n, 4] and scores [1, classes, n] that went into that.
    """
    if not any(name in model.read_bytes() for name in map(str.encode, OPERATORS)):
        return model, params
    for source, suffix in ((model, ".pdmodel"), (params, ".pdiparams")):
        shutil.copyfile(source, folder / f"{STEM}{suffix}")
    program = load(folder)
    operator = next((op for op in program.block.ops if op.type in OPERATORS), None)
    if operator is None:
        return model, params
    outputs = (operator.input("BBoxes")[0], operator.input("Scores")[0])
    save(replace(program, fetches=tuple(map(program.block.var, outputs))), folder)
    return folder / f"{STEM}.pdmodel", folder / f"{STEM}.pdiparams"
