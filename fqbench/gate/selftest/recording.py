"""Suites of the self-test in a file, so that they can be judged again without measuring."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from fqbench.fileio import write_text
from fqbench.gate.live.comparison import BASE, HEAD, CellTimes
from fqbench.gate.records import Launches, Machine, Name, Number, Positive, Record, Text
from fqbench.gate.selftest.trial import Suite
from fqbench.gate.stored.files import read_json, validated
from fqbench.jsonvalue import Json
from fqbench.measure.launches import LaunchRecording

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts

SCHEMA = 1
KIND = "gate-self-test"


class _Measurement(Record):
    base: Launches
    head: Launches
    seconds: tuple[Positive, ...]
    stopped: Literal["narrow", "time"]
    pinned: bool

    @model_validator(mode="after")
    def _sides_share_launches(self) -> _Measurement:
        shapes = {tuple(len(rounds) for rounds in side) for side in (self.base, self.head)}
        blocks = [block for side in (self.base, self.head) for rounds in side for block in rounds]
        if len(shapes) > 1 or len(self.base) != len(self.seconds) or not self.seconds:
            raise ValueError("the sides have other launches or rounds than each other")
        if not all(self.base) or not all(blocks):
            raise ValueError("a launch or a round has no times")
        return self

    def recorded(self) -> LaunchRecording:
        times = {BASE: self.base, HEAD: self.head}
        return LaunchRecording(times, self.stopped, self.pinned, self.seconds)


class _CellTimes(Record):
    first: _Measurement
    again: _Measurement | None = None


class _Suite(Record):
    slowed: Name | None
    slowdown: Annotated[Number, Field(ge=0, le=1)]
    cells: dict[Name, _CellTimes]

    def suite(self) -> Suite:
        timed = {
            cell: CellTimes(each.first.recorded(), each.again.recorded() if each.again else None)
            for cell, each in self.cells.items()
        }
        return Suite(timed, self.slowed, self.slowdown)


class _File(Record):
    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["gate-self-test"]
    created: Text
    machine: Machine
    planned: tuple[Annotated[Number, Field(ge=0, le=1)], ...]
    suites: Annotated[tuple[_Suite, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _suites_are_of_the_same_cells(self) -> _File:
        if any(suite.cells.keys() != self.suites[0].cells.keys() for suite in self.suites):
            raise ValueError("the suites are of different cells")
        return self


@dataclass(frozen=True)
class Recording:
    """What a file holds: suites, and the slow-downs of all suites that were planned."""

    suites: tuple[Suite, ...]
    planned: tuple[float, ...]

    @property
    def missing(self) -> list[float]:
        """Slow-downs of the planned suites that were not measured."""
        left = list(self.planned)
        for suite in self.suites:
            if suite.slowdown in left:
                left.remove(suite.slowdown)
        return left


def write(path: Path, recording: Recording, machine: MachineFacts) -> Path:
    """Write suites with every time, all of them or nothing; return the path."""
    content = {
        "schema": SCHEMA,
        "kind": KIND,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "planned": recording.planned,
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
            for suite in recording.suites
        ],
    }
    return write_text(path, json.dumps(content, allow_nan=False))


def read(path: Path) -> Recording:
    """The suites of a file. Raises UsageError where it holds none or is not usable."""
    found = validated(_File, read_json(path), path)
    return Recording(tuple(suite.suite() for suite in found.suites), found.planned)


def _described(recorded: LaunchRecording) -> dict[str, Json]:
    return {
        "base": recorded.times[BASE],
        "head": recorded.times[HEAD],
        "seconds": recorded.seconds,
        "stopped": recorded.stopped,
        "pinned": recorded.pinned,
    }
