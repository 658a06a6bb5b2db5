"""Suites of the self-test in a file, so that they can be judged again without measuring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from fqbench.gate.contest import BASE, HEAD, Timed
from fqbench.gate.jsonfile import read_json, validated
from fqbench.gate.records import Launches, Machine, Name, Number, Positive, Record, Text
from fqbench.gate.selftest import Suite
from fqbench.measure.launches import Recorded
from fqbench.results import write_text

SCHEMA = 1
KIND = "gate-self-test"


class _Recorded(Record):
    base: Launches
    head: Launches
    seconds: tuple[Positive, ...]
    stopped: Literal["narrow", "time"]
    pinned: bool

    def recorded(self) -> Recorded:
        times = {BASE: self.base, HEAD: self.head}
        return Recorded(times, self.stopped, self.pinned, self.seconds)


class _Timed(Record):
    first: _Recorded
    again: _Recorded | None = None


class _Suite(Record):
    slowed: Name | None
    slowdown: Annotated[Number, Field(ge=0, le=1)]
    cells: dict[Name, _Timed]


class _File(Record):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["gate-self-test"]
    created: Text
    machine: Machine
    suites: tuple[_Suite, ...]


def write(path: Path, suites: Sequence[Suite], machine: dict[str, Any]) -> Path:
    """Write ``suites`` with every time, all of them or nothing; return the path."""
    content = {
        "schema": SCHEMA,
        "kind": KIND,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "suites": [
            {
                "slowed": suite.slowed,
                "slowdown": suite.slowdown,
                "cells": {
                    cell: {
                        "first": _described(timed.first),
                        "again": None if timed.again is None else _described(timed.again),
                    }
                    for cell, timed in suite.timed.items()
                },
            }
            for suite in suites
        ],
    }
    return write_text(path, json.dumps(content, allow_nan=False))


def read(path: Path) -> list[Suite]:
    """The suites of a file. Raises UsageError where it holds none, or is not usable."""
    found = validated(_File, read_json(path), path)
    return [
        Suite(
            {
                cell: Timed(
                    timed.first.recorded(),
                    None if timed.again is None else timed.again.recorded(),
                )
                for cell, timed in suite.cells.items()
            },
            suite.slowed,
            suite.slowdown,
        )
        for suite in found.suites
    ]


def _described(recorded: Recorded) -> dict[str, Any]:
    return {
        "base": recorded.times[BASE],
        "head": recorded.times[HEAD],
        "seconds": recorded.seconds,
        "stopped": recorded.stopped,
        "pinned": recorded.pinned,
    }
