"""Environments of ONNX Runtime in a version of its own."""

from __future__ import annotations

from fqbench.environments.recipe import Alternative, Recipe

RECIPE = Recipe(
    name="onnxruntime",
    label="ONNX Runtime",
    requirements="fqbench.backends.onnxruntime:requirements.txt",
    python=">=3.10",
    distribution="onnxruntime",
    alternatives=(
        # Built against NumPy 1, which their metadata do not say.
        Alternative(
            versions="<1.19",
            requirements="fqbench.backends.onnxruntime:requirements-numpy1.txt",
            python=">=3.10,<3.13",
        ),
    ),
)
