"""What ``fqbench best`` found, as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fqbench.best.entry import Entry, Found
from fqbench.best.front import standings
from fqbench.measure.stats import Interval

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts

SCHEMA = 1


def document(
    found: Found,
    model: str,
    images: int | None,
    not_tried: Mapping[str, str],
    machine: MachineFacts,
) -> Mapping[str, Any]:
    """All of ``found``; ``images``: how many were evaluated, None without labels.

    ``winner``, ``second``, ``nearest`` and ``best_float`` are names of candidates, as in ``Found``.
    """
    budget, front = found.budget, found.front
    return {
        "schema": SCHEMA,
        "kind": "best",
        "model": model,
        "images": images,
        "budget": {
            "drop": budget.drop,
            "ms": budget.ms,
            "size_mb": budget.size,
            "judge": budget.judge,
        },
        "winner": found.winner,
        "second": found.second,
        "nearest": found.nearest,
        "best_float": found.best_float,
        "candidates": [_candidate(found, entry, entry.name in front) for entry in found.entries],
        "not_tried": dict(not_tried),
        "seconds": found.seconds,
        "machine": machine,
    }


def _candidate(found: Found, entry: Entry, on_front: bool) -> dict[str, Any]:
    candidate, figures = entry.candidate, entry.figures
    return {
        "name": entry.name,
        "label": candidate.label,
        "backend": candidate.cell.backend,
        "device": candidate.cell.device,
        "precision": candidate.cell.precision,
        "method": candidate.method,
        "status": entry.status,
        "why": entry.why,
        "on_front": on_front,
        "against_budget": None if figures is None else standings(figures, found.budget),
        "accuracy": entry.accuracy,
        "drop": _interval(entry.drop),
        "latency_ms": _interval(entry.ms),
        "launches": entry.launches,
        "size_mb": entry.size,
        "times_as_fast": {
            "best_float": _interval(entry.to_float),
            "own_fp32": _interval(entry.to_fp32),
        },
        "float_layers": {} if entry.choice is None else dict(entry.choice.float_layers),
    }


def _interval(interval: Interval | None) -> Mapping[str, Any] | None:
    return None if interval is None else interval.to_json()
