"""The steps that run native code: what each is called with, and what it writes.

A step runs in a child process of its own, writes only into the folder it is given, and imports
native libraries in its function only, since a plan of steps imports this package, too.
"""

from fqbench.pipeline.steps.answering import SIDES, agree, predict, score
from fqbench.pipeline.steps.examining import examine
from fqbench.pipeline.steps.graphs import (
    batched,
    canonical,
    converted,
    given_int8,
    multiply_adds,
    own_input,
    seeded_model,
    zoo_model,
)
from fqbench.pipeline.steps.lowering import engine, half, lower
from fqbench.pipeline.steps.quantizing import (
    calibrate,
    choose,
    probe,
    saturation,
    tradeoff,
    tradeoff_point,
)

__all__ = [
    "SIDES",
    "agree",
    "batched",
    "calibrate",
    "canonical",
    "choose",
    "converted",
    "engine",
    "examine",
    "given_int8",
    "half",
    "lower",
    "multiply_adds",
    "own_input",
    "predict",
    "probe",
    "saturation",
    "score",
    "seeded_model",
    "tradeoff",
    "tradeoff_point",
    "zoo_model",
]
