"""Which of the wanted nodes are finished, which can run now, and which are still to come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fqbench.artifacts import Artifact, key_of
from fqbench.errors import FqbenchError
from fqbench.steps.finished import Chosen, Failed, Result
from fqbench.steps.step import Maybe, Measurement, Node, Select, Step, needed, tolerated

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What a step's artifact depends on, and the key that follows from it."""

    described: Mapping[str, Any]
    key: str


class Schedule:
    """The wanted nodes and what they need, as far as ``results`` tell what that is.

    ``describe`` gives a step's key inputs once the results it reads are there, ``find`` its
    artifact, where the store has it. Results of nodes that need not run are added to ``results``.
    """

    def __init__(
        self,
        wanted: Iterable[Node],
        results: dict[Node, Result],
        describe: Callable[[Step], dict[str, Any]],
        find: Callable[[Step, Mapping[str, Any]], Artifact | None],
    ) -> None:
        self._wanted = tuple(wanted)
        self._results, self._describe, self._find = results, describe, find
        self._open: dict[Node, None] = {}
        self._decided: dict[Select, str] = {}
        self._models = {
            model: number
            for number, model in enumerate(dict.fromkeys(node.model for node in self._wanted))
        }
        self._ready: dict[Node, Inputs | None] = {}
        self._running: set[Node] = set()
        self._warned: set[Node] = set()
        for node in self._wanted:
            self._demand(node)

    def settle(self) -> None:
        """Find results that need no run, and nodes that can run now."""
        changed = True
        while changed:
            changed = False
            for node in tuple(self._open):
                if node not in self._ready and node not in self._running:
                    changed |= self._advance(node)

    def ready(self) -> list[Node]:
        """Nodes that can run now.

        What times in phases takes long, on few cores: it and what leads to it come first, so that
        other steps are left to run beside it. Then, those of the first models.
        """
        last, leading = len(self._models), self._leading()
        # The same artifact is not made twice at the same time.
        taken = {inputs.key for node in self._running if (inputs := self._ready[node])}
        found = []
        for node, inputs in self._ready.items():
            if node in self._running or (inputs is not None and inputs.key in taken):
                continue
            found.append(node)
            if inputs is not None:
                taken.add(inputs.key)
        return sorted(
            found, key=lambda node: (node not in leading, self._models.get(node.model, last))
        )

    def _leading(self) -> set[Node]:
        """Steps that time in phases, and all that they wait for."""
        found: set[Node] = set()
        left: list[Node] = [
            node
            for node in self._open
            if isinstance(node, Step) and node.needs.alone == "in phases"
        ]
        while left:
            node = left.pop()
            if node in self._open and node not in found:
                found.add(node)
                left += node.reads()
        return found

    def start(self, node: Node) -> None:
        """``node`` runs from now on."""
        self._running.add(node)

    def inputs(self, step: Step) -> Mapping[str, Any]:
        """The key inputs of a step that is ready."""
        found = self._ready[step]
        assert found is not None
        return found.described

    def again(self, node: Node) -> None:
        """``node``, which ran, is to run once more."""
        self._running.discard(node)

    def end(self, node: Node, result: Result) -> None:
        """``node`` has run, and with it every step that makes the same artifact."""
        inputs = self._ready[node]
        alike = [
            other
            for other, found in self._ready.items()
            if found is not None and inputs is not None and found.key == inputs.key
        ]
        for each in {node, *alike}:
            self._finish(each, result)

    def remaining(self) -> list[Node]:
        """Steps and measurements that are still to be run, in an order in which they could be.

        At most: selections may spare some.
        """
        found: dict[Node, None] = {}
        for node in self._wanted:
            self._collect(node, found)
        return [node for node in found if not isinstance(node, Select)]

    def _collect(self, node: Node, found: dict[Node, None]) -> None:
        """Add ``node`` to ``found`` behind all that it may need, where it is not finished."""
        if node in self._results or node in found:
            return
        for read in node.reads():
            self._collect(read, found)
        if isinstance(node, Select):
            decided = self._decided.get(node)
            for name, option in node.options.items():
                if decided in (None, name):
                    self._collect(option, found)
        found[node] = None

    def _demand(self, node: Node) -> None:
        if node in self._results or node in self._open:
            return
        for read in node.reads():
            self._demand(read)
        self._open[node] = None

    def _finish(self, node: Node, result: Result) -> None:
        self._results[node] = result
        self._open.pop(node, None)
        self._ready.pop(node, None)
        self._running.discard(node)

    def _advance(self, node: Node) -> bool:
        """Whether more is known of ``node`` than before."""
        if any(read not in self._results for read in node.reads()):
            return False
        if isinstance(node, Select):
            return self._select(node)
        if isinstance(node, Measurement):
            self._ready[node] = None
            return True
        failure = next(self._failures(node), None)
        if failure is not None:
            self._finish(node, failure)
            return True
        self._warn(node)
        try:
            described = self._describe(node)
            artifact = self._find(node, described)
        except FqbenchError as error:
            self._finish(node, Failed(error))
            return True
        if artifact is not None:
            self._finish(node, artifact)
        else:
            self._ready[node] = Inputs(described, key_of(node.name, described))
        return True

    def _select(self, node: Select) -> bool:
        decider = self._results[node.by]
        if isinstance(decider, Failed):
            self._finish(node, decider)
            return True
        if node not in self._decided:
            artifact = decider.artifact if isinstance(decider, Chosen) else decider
            assert isinstance(artifact, Artifact)
            self._decided[node] = node.decide(artifact)
            self._demand(node.options[self._decided[node]])
            return True
        option = self._decided[node]
        result = self._results.get(node.options[option])
        if result is None:
            return False
        if isinstance(result, Failed):
            self._finish(node, result)
        else:
            artifact = result.artifact if isinstance(result, Chosen) else result
            assert isinstance(artifact, Artifact)
            self._finish(node, Chosen(option, artifact))
        return True

    def _warn(self, step: Step) -> None:
        """Report, once each, the failures that ``step`` goes on in spite of: no row has them."""
        for node in (node for value in step.inputs.values() for node in tolerated(value)):
            result = self._results[node]
            if isinstance(result, Failed) and node not in self._warned:
                self._warned.add(node)
                _log.warning("%s", result.error)

    def _failures(self, step: Step) -> Iterator[Failed]:
        for value in step.inputs.values():
            if isinstance(value, Maybe):
                continue
            for node in needed(value):
                result = self._results[node]
                if isinstance(result, Failed):
                    yield result
