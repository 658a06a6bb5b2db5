"""What version 1 of the protocol between versions holds, in literals: other versions rely on it."""

from __future__ import annotations

from typing import Any

REQUEST: dict[str, Any] = {
    "side": "base",
    "specs": [],
    "models": None,
    "backends": None,
    "devices": None,
    "precisions": None,
    "root": None,
    "method": "offline",
    "allow_code": False,
    "threads": 1,
    "cache": "/cache",
}
PROCESS: dict[str, Any] = {
    "name": "timing it",
    "sides": ["base"],
    "function": "fqbench.measure.stopwatch:time_cell",
    "arguments": {"threads": 1},
    "threads": 1,
    "block": None,
}
ANSWER: dict[str, Any] = {
    "protocol": 1,
    "code": "c",
    "created": "now",
    "machine": {},
    "rows": [],
    "samples": {"groups": [], "accuracies": {}},
    "processes": {"net-paddle-cpu-fp32": PROCESS},
}
