"""Verdicts of the gate made by hand."""

from fqbench.gate.verdict import Verdict
from fqbench.measure.stats import Interval

SLOWER = Verdict(
    "net-paddle-cpu-int8",
    "slower",
    "it takes 12 % more time",
    True,
    2.0,
    2.24,
    Interval(1.12, 1.08, 1.16),
    Interval(0.1, -0.25, 0.5),
    launches=5,
)
