"""What is proposed, and what goes between the parent and the child that tries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from fqbench.message import Message
from fqbench.tasks.recognition import Sureness


class Proposal(Message):
    """A value for the spec's ``key``, dotted; ``reason`` in words."""

    key: str
    value: Any
    sureness: Sureness
    reason: str


class Request(Message):
    """A model's file to be tried, with its ``Contents`` as JSON.

    ``images``: files that may be looked at; none: a made-up one is. ``datasets``: settings of the
    data sets that the labels may be read as, as JSON, none of which may fit the model where they
    were not ``given`` but found; ``count``: images to try candidates on.
    """

    model: Path
    contents: Any
    images: tuple[Path, ...] = ()
    datasets: tuple[Any, ...] = ()
    given: bool = False
    count: int


class Proposed(Message):
    """All that is proposed; ``tried``: what was tried with which result, a sentence each.

    ``dataset``: which of the request's fits the task, None where none does. ``unknown``: what the
    spec needs and nothing told.
    """

    task: str
    proposals: tuple[Proposal, ...]
    dataset: Any = None
    unknown: tuple[str, ...] = ()
    tried: tuple[str, ...] = Field(default=())
    metric: str | None = None

    def of(self, key: str) -> Proposal | None:
        """The proposal for a key."""
        return next((each for each in self.proposals if each.key == key), None)


PROPOSED = TypeAdapter(Proposed)
"""Reads what the child answered."""
