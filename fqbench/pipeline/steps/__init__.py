"""The steps that run native code, each called by name in a child process of its own.

Arguments and results are JSON; files are passed by path. A step writes only into the folder
it is given.
"""

from fqbench.pipeline.steps.answering import agree, predict
from fqbench.pipeline.steps.graphs import batched, canonical, converted, given_int8, zoo_model
from fqbench.pipeline.steps.lowering import engine, half, lower
from fqbench.pipeline.steps.quantizing import calibrate, choose, distill
from fqbench.pipeline.steps.saturating import saturation
from fqbench.saturation.probe import probe

__all__ = [
    "agree",
    "batched",
    "calibrate",
    "canonical",
    "choose",
    "converted",
    "distill",
    "engine",
    "given_int8",
    "half",
    "lower",
    "predict",
    "probe",
    "saturation",
    "zoo_model",
]
