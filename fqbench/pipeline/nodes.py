"""Nodes of one model's graph, each made once."""

from __future__ import annotations

from collections.abc import Mapping

from fqbench.pipeline import decisions, steps
from fqbench.steps import ArtifactNode, Needs, Select, Step, Unkeyed
from fqbench.steps.job import Function
from fqbench.steps.step import Input

CHECKED = 3
"""Images on which each rewritten model is run beside its source."""

ONE_CORE = Needs(cores=1)


class NodeFactory:
    """Makes the nodes of ``model``: the same one when it is asked for again."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._nodes: dict[tuple[object, ...], ArtifactNode] = {}

    def step(
        self,
        name: str,
        inputs: Mapping[str, Input],
        libraries: tuple[str, ...],
        images: int = CHECKED,
        *,
        function: Function | None = None,
        needs: Needs = ONE_CORE,
        of: object = None,
        depends_on_cpu: bool = True,
    ) -> Step:
        """The step ``name``, once for each ``of`` that tells it from others of that name.

        ``function``: by default fqbench's own of that name. Raises ValueError where a step of that
        name is another function.
        """
        identity = (name, str(inputs.get("backend")), of)
        if identity not in self._nodes:
            self._nodes[identity] = Step(
                name=name,
                model=self.model,
                function=function or getattr(steps, name),
                inputs=inputs,
                libraries=libraries,
                needs=needs,
                depends_on_cpu=depends_on_cpu,
                images=images,
                note="" if name.startswith("lower_") else _note(inputs),
            )
        found = self._nodes[identity]
        assert isinstance(found, Step)
        if function not in (None, found.function):
            raise ValueError(f"the name {name!r} is that of another step: choose another one")
        return found

    def select(
        self,
        name: str,
        by: ArtifactNode,
        decide: decisions.Decision,
        options: Mapping[str, ArtifactNode],
    ) -> Select:
        """One of ``options``, decided by the artifact of ``by``."""
        identity = (name, by, *options.values())
        if identity not in self._nodes:
            self._nodes[identity] = Select(name, self.model, by, decide, options)
        found = self._nodes[identity]
        assert isinstance(found, Select)
        return found


def _note(inputs: Mapping[str, Input]) -> str:
    """What tells a step from others of its kind: the backend and precision it is for."""
    named = (inputs.get(key) for key in ("backend", "precision"))
    values = (value.value if isinstance(value, Unkeyed) else value for value in named)
    return " ".join(value for value in values if isinstance(value, str))
