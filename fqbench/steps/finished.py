"""What became of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fqbench.artifacts import Artifact
from fqbench.errors import FqbenchError
from fqbench.steps.step import Measurement, Node, Select


@dataclass(frozen=True)
class Failed:
    """A node that has no result, and the first cause."""

    error: FqbenchError


@dataclass(frozen=True)
class Value:
    """The result of a measurement."""

    value: Any


@dataclass(frozen=True)
class Chosen:
    """Which option a selection took, and its artifact."""

    option: str
    artifact: Artifact


Result = Artifact | Chosen | Value | Failed


class Finished:
    """The results of nodes. Looking one up that failed raises its first cause."""

    def __init__(self, results: Mapping[Node, Result]) -> None:
        self._results = results

    def __contains__(self, node: Node) -> bool:
        return node in self._results

    def all_of(self, nodes: Iterable[Node]) -> bool:
        """Whether each of ``nodes`` is finished, well or not."""
        return all(node in self._results for node in nodes)

    def failure(self, node: Node) -> FqbenchError | None:
        """Why ``node`` has no result; None where it has one."""
        result = self._results[node]
        return result.error if isinstance(result, Failed) else None

    def artifact(self, node: Node) -> Artifact:
        """The artifact of a step, or that which a selection took. Raises FqbenchError."""
        result = self._found(node)
        if isinstance(result, Chosen):
            return result.artifact
        if not isinstance(result, Artifact):
            raise TypeError(f"{node.name} of {node.model} has a value, no artifact")
        return result

    def option(self, node: Select) -> str:
        """Which option a selection took. Raises FqbenchError."""
        result = self._found(node)
        if not isinstance(result, Chosen):
            raise TypeError(f"{node.name} of {node.model} selects nothing")
        return result.option

    def value(self, node: Measurement) -> Any:
        """What a measurement found. Raises FqbenchError."""
        result = self._found(node)
        if not isinstance(result, Value):
            raise TypeError(f"{node.name} of {node.model} has an artifact, no value")
        return result.value

    def _found(self, node: Node) -> Result:
        result = self._results[node]
        if isinstance(result, Failed):
            raise result.error
        return result
