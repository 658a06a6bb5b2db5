"""The environment that Paddle lives in."""

from __future__ import annotations

from fqbench.environments.recipe import Alternative, Recipe

RECIPE = Recipe(
    name="paddle",
    label="Paddle 2.6.2 with PaddleSlim",
    requirements="fqbench.backends.paddle:requirements.txt",
    python=">=3.10,<3.13",
    distribution="paddlepaddle",
    alternatives=(
        Alternative(
            versions=">=3",
            requirements="fqbench.backends.paddle:requirements-3.txt",
            python=">=3.10,<3.13",
        ),
    ),
)
