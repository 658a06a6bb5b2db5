"""What the gate tells: its decision, and all that a reader needs to trust or doubt it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fqbench.gate.verdict import Decision, Verdict
from fqbench.measure.stats import Interval

SCHEMA = 1


@dataclass(frozen=True)
class RatioChange:
    """FP32 over INT8 time on both sides; ``change``: HEAD's over BASE's."""

    base: float
    head: float
    change: Interval


@dataclass(frozen=True)
class Account:
    """A decision and its circumstances, a sentence each.

    ``base`` and ``head`` name the sides. ``cautions``: what a reader must know before trusting
    it. ``certainty``: what was done to be sure. ``machine``: what it was measured on. ``ratios``
    are by INT8 cell.
    """

    base: str
    head: str
    decision: Decision
    cautions: tuple[str, ...] = ()
    certainty: tuple[str, ...] = ()
    machine: tuple[str, ...] = ()
    ratios: Mapping[str, RatioChange] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The whole as a JSON object."""
        return {
            "schema": SCHEMA,
            "kind": "gate",
            "exit_code": self.decision.exit_code,
            "base": self.base,
            "head": self.head,
            "cells": [_verdict(verdict) for verdict in self.decision.verdicts],
            "ratios": {
                cell: {**asdict(ratio), "change": _interval(ratio.change)}
                for cell, ratio in self.ratios.items()
            },
            "cautions": list(self.cautions),
            "certainty": list(self.certainty),
            "machine": list(self.machine),
        }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    values = asdict(verdict)
    return {**values, "slowdown": _interval(verdict.slowdown), "loss": _interval(verdict.loss)}


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"value": interval.value, "ci95": [interval.low, interval.high]}
