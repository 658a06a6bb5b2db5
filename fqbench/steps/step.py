"""What a run is made of, as data: steps, what they read, and what they need.

Nothing here runs anything. A node refers to the nodes it reads, so the nodes that are wanted in the
end are the whole graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fqbench.artifacts import Artifact
from fqbench.environments import HERE
from fqbench.jsonvalue import Json
from fqbench.steps.job import Function, Job, input_names, job_type

if TYPE_CHECKING:
    from fqbench.steps.finished import Finished

STEP_S = 1800.0
IMAGE_S = 60.0
"""Seconds that a step may take, and what each image it works on adds: far more than any needs."""


@dataclass(frozen=True)
class Files:
    """Files that exist before the run. A key holds their contents, a job their paths."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Unkeyed:
    """A value that no result depends on, such as a permission."""

    value: Json


@dataclass(frozen=True)
class Maybe:
    """A node that may fail: then its reader is given None instead of a folder."""

    node: ArtifactNode


Alone = Literal["never", "in phases", "always"]
"""When nothing else may run on the machine beside a step, since times decide its result.

``in phases``: its function asks for that while it times, by ``isolate.alone``; meanwhile the steps
beside it are paused. ``always``: it runs when no other does.
"""


@dataclass(frozen=True)
class Needs:
    """What running a step takes.

    ``environment``: the one whose Python runs it. ``cores``: how many it can use at most, while it
    is not alone; None: all of them. ``alone``: when it must be alone on the machine. ``gpu``: the
    GPU of this machine.
    """

    environment: str = HERE
    cores: int | None = None
    alone: Alone = "never"
    gpu: bool = False


@dataclass(frozen=True, eq=False)
class Step:
    """A function that runs in a child process, and writes an artifact that is kept.

    ``name``: the kind of step; ``model``: whom it works for, as messages say; ``note``: what tells
    it from other steps of its kind, for people. ``inputs``: all that
    the artifact depends on beside ``libraries`` (whose versions go into its key) and, where it
    ``depends_on_cpu``, the kernels that runtimes choose here. ``images``: how many it works on.
    Raises TypeError where the inputs are not those of the function's job.
    """

    name: str
    model: str
    function: Function
    inputs: Mapping[str, Input] = field(repr=False)
    libraries: tuple[str, ...] = ()
    needs: Needs = field(default_factory=Needs)
    depends_on_cpu: bool = True
    images: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        expected, given = input_names(self.job), frozenset(self.inputs)
        if expected != given:
            raise TypeError(
                f"step {self.name} has the inputs {sorted(given)}, its job the fields"
                f" {sorted(expected)}"
            )

    @property
    def job(self) -> type[Job]:
        """The record that the function is called with."""
        return job_type(self.function)

    @property
    def timeout_s(self) -> float:
        """Seconds after which it hangs."""
        return STEP_S + IMAGE_S * self.images

    def reads(self) -> Iterator[Node]:
        """The nodes among its inputs."""
        for value in self.inputs.values():
            yield from _nodes(value)


@dataclass(frozen=True, eq=False)
class Select:
    """One of several nodes, decided by an artifact; the others are not run for its sake.

    ``decide`` is given the artifact of ``by``, which it reads quickly, and returns the name of one
    of the ``options``.
    """

    name: str
    model: str
    by: ArtifactNode
    decide: Callable[[Artifact], str]
    options: Mapping[str, ArtifactNode] = field(repr=False)
    note: str = ""

    def reads(self) -> Iterator[Node]:
        """What must be there before it can be decided."""
        yield self.by


@dataclass(frozen=True, eq=False)
class Measurement:
    """Something about this machine now: taken alone, never stored.

    ``take`` is called with everything that is finished, once each of ``after`` is finished or has
    failed, and with what progress is reported to; its result is the node's value.
    """

    name: str
    model: str
    after: tuple[Node, ...] = field(repr=False)
    take: Callable[[Finished, Callable[[str, int, int], None]], Any]
    note: str = ""

    def reads(self) -> Iterator[Node]:
        """What must be finished before."""
        yield from self.after


ArtifactNode = Step | Select
Node = Step | Select | Measurement
Input = Step | Select | Maybe | Files | Unkeyed | Json | tuple["Input", ...]
"""What a job's field is filled with. Of a node that is the folder of its artifact."""


def title(node: Node) -> str:
    """What people call a node: ``predict onnxruntime int8``."""
    return f"{node.name} {node.note}".rstrip()


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Step | Select):
        yield value
    elif isinstance(value, Maybe):
        yield value.node
    elif isinstance(value, tuple):
        for each in value:
            yield from _nodes(each)


def tolerated(value: object) -> Iterator[Node]:
    """The nodes of an input that may fail."""
    if isinstance(value, Maybe):
        yield value.node
    elif isinstance(value, tuple):
        for each in value:
            yield from tolerated(each)


def needed(value: object) -> Iterator[Node]:
    """The nodes of an input without which a step cannot run."""
    if isinstance(value, Step | Select):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from needed(each)
