"""The environment that NNCF lives in."""

from __future__ import annotations

from fqbench.environments.recipe import Recipe

ENVIRONMENT = "nncf"

RECIPE = Recipe(
    name=ENVIRONMENT,
    label="NNCF 3 with OpenVINO 2026",
    requirements="fqbench.methods.nncf:requirements.txt",
    python=">=3.10,<3.14",
    distribution="nncf",
)
