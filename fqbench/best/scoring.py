"""Accuracy of candidates: asked for the fastest first, and only where it may decide."""

from __future__ import annotations

from fqbench.best.front import Budget
from fqbench.best.halving import next_to_evaluate
from fqbench.best.ledger import Ledger
from fqbench.errors import FqbenchError
from fqbench.measure.accuracy import lost
from fqbench.pipeline.written import Points, points_of
from fqbench.steps import ArtifactNode
from fqbench.steps.executor import Executor


class Scores:
    """Accuracy by the names of a ledger's candidates, and the FP32 that drops are counted from."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        self._ledger, self._executor = ledger, executor
        self._points: dict[str, Points] = {}
        self._failed: set[str] = set()
        self.reference: str | None = None

    def evaluate_reference(self) -> None:
        """Evaluate the FP32 that drops are counted from, where one can be.

        It is the fastest: what FP32 answers hardly depends on what runs it.
        """
        ledger = self._ledger
        while (name := ledger.fastest(lambda each: each.candidate.is_fp32)) is not None:
            if not ledger[name].candidate.graph.spec.labelled:
                return
            self.evaluate(name)
            if name in self._points:
                self.reference = name
                return

    def evaluate_hopeful(self, budget: Budget) -> None:
        """Accuracy of those that may win, the fastest first, until no other may."""
        if self.reference is None:
            return
        while (each := next_to_evaluate(self._ledger.figures(), budget, self._failed)) is not None:
            self.evaluate(each.name)
            if each.name in self._points:
                drop = lost(self._points[self.reference], self._points[each.name])
                self._ledger.set(each.name, drop=drop)
            else:
                self._failed.add(each.name)

    def evaluate(self, name: str) -> None:
        """The accuracy of one."""
        candidate = self._ledger[name].candidate
        try:
            node: ArtifactNode = candidate.graph.score(candidate.cell)
            points = points_of(self._executor.run([node]).artifact(node))
        except FqbenchError as error:
            self._ledger.set(name, status="failed", why=f"cannot be evaluated: {error}")
            return
        self._points[name] = points
        self._ledger.set(name, accuracy=float(points[0]))
