"""The environment that OpenVINO lives in."""

from __future__ import annotations

from fqbench.backends.openvino.backend import ENVIRONMENT
from fqbench.environments.recipe import Recipe

RECIPE = Recipe(
    name=ENVIRONMENT,
    label="OpenVINO 2026",
    requirements="fqbench.backends.openvino:requirements.txt",
    python=">=3.10,<3.14",
    distribution="openvino",
)
