"""Offline quantization: calibration images determine ranges and codes, and nothing is trained."""

from fqbench.environments import HERE
from fqbench.methods.record import Method

METHOD = Method(
    name="offline",
    label="offline quantization",
    offered=True,
    learns=False,
    quick=True,
    images=lambda spec: {},
    backends=None,
    environment=HERE,
    packages=(),
    yields="quantization",
    plan=lambda model, backend: model.ranges,
)
