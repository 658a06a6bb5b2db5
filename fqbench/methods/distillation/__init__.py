"""Distillation: the FP32 model teaches the INT8 model, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fqbench.convert.environment import PROGRAMS
from fqbench.methods.record import Method, ModelPlan

if TYPE_CHECKING:
    from fqbench.spec.model import ModelSpec
    from fqbench.spec.quantization import Calibration
    from fqbench.steps import Step

KEY = "distillation.images"
"""The key of a spec that chooses the images which teach."""


def images(spec: ModelSpec) -> Mapping[str, Calibration]:
    """Images of its own that the student is trained with."""
    own = spec.distillation.images
    return {} if own is None else {KEY: own}


def plan(model: ModelPlan, backend: str) -> Step:
    """The distilled model: one per backend, since each rounds differently."""
    from fqbench.graph.executor import RUNNING
    from fqbench.methods.distillation.step import distill
    from fqbench.steps import Needs

    settings = model.spec.distillation
    own = settings.images
    teaching = model.images.calibration if own is None else model.images.unseen(own, KEY)
    return model.step(
        "distill",
        {
            "quantization": model.ranges,
            "choice": model.choice_for(backend, model.ranges),
            **model.read(teaching),
            "decode": model.decode,
            "backend": backend,
            "metric": model.spec.metric,
            "distillation": settings.model_dump(mode="json", exclude={"images"}),
        },
        (*RUNNING, "paddlepaddle", "paddleslim"),
        len(teaching) + settings.iterations * settings.batch_size,
        function=distill,
        needs=Needs(environment=PROGRAMS),
        of=backend,
    )


METHOD = Method(
    name="distillation",
    label="distillation training",
    offered=True,
    learns=True,
    quick=False,
    images=images,
    backends=None,
    environment=PROGRAMS,
    packages=(),
    yields="quantization",
    plan=plan,
)
