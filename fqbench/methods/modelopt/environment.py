"""The environment that ModelOpt lives in."""

from __future__ import annotations

from fqbench.environments.recipe import Recipe

ENVIRONMENT = "modelopt"

RECIPE = Recipe(
    name=ENVIRONMENT,
    label="ModelOpt 0.47 with torch",
    requirements="fqbench.methods.modelopt:requirements.txt",
    python=">=3.11,<3.14",
    distribution="nvidia-modelopt",
)
