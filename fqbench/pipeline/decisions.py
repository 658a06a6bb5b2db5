"""What is decided by what a step found, while a graph of steps runs."""

from __future__ import annotations

import json
from collections.abc import Callable

from fqbench.artifacts import Artifact
from fqbench.tune.choice import ACCURACY, Choice
from fqbench.tune.tradeoff import Tradeoff

Decision = Callable[[Artifact], str]
"""The name of an option, by an artifact."""

INT8, FP32 = "INT8", "FP32"
NEEDED, SAME = "needed", "same"

MAX_INT8_TIME_RATIO = 0.98
"""INT8 must take less of FP32's time than this to be used: less is noise."""


def int8_is_faster(choice: Choice) -> bool:
    """Whether the INT8 form takes less time than FP32, by more than noise; so where not timed."""
    return choice.slowdown is None or choice.slowdown < MAX_INT8_TIME_RATIO


def int8_or_fp32(chosen: Artifact) -> str:
    """Which of both is faster, as timed by the step ``choose``."""
    return INT8 if int8_is_faster(choice_of(chosen)) else FP32


def has_float_layers(chosen: Artifact) -> str:
    """Whether layers stay in float for their accuracy."""
    return NEEDED if ACCURACY in choice_of(chosen).float_layers.values() else SAME


def runs_float_layers(chosen: Artifact) -> str:
    """As ``has_float_layers``, and whether the INT8 form they are in is what runs."""
    return has_float_layers(chosen) if int8_or_fp32(chosen) == INT8 else SAME


def saturates(counted: Artifact) -> str:
    """Whether a layer saturates, as counted by the step ``saturation``."""
    return NEEDED if any(saturated_sums(counted).values()) else SAME


def choice_of(chosen: Artifact) -> Choice:
    """What the step ``choose`` wrote."""
    return Choice.read(chosen.file("choice.json"))


def tradeoff_of(traded: Artifact) -> Tradeoff:
    """What the step ``tradeoff`` wrote."""
    return Tradeoff.read(traded.file("tradeoff.json"))


def saturated_sums(counted: Artifact) -> dict[str, int]:
    """By layer that multiplies integers, how many sums saturate."""
    found: dict[str, int] = json.loads(counted.file("saturation.json").read_text())
    return found
