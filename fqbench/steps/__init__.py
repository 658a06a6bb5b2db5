"""Steps as data, and what carries them out: keys, the local executor, the child's side."""

from fqbench.steps.executor import Executor, LocalExecutor
from fqbench.steps.finished import Finished
from fqbench.steps.job import Job
from fqbench.steps.step import (
    ArtifactNode,
    Files,
    Maybe,
    Measurement,
    Needs,
    Node,
    Select,
    Step,
    Unkeyed,
)

__all__ = [
    "ArtifactNode",
    "Executor",
    "Files",
    "Finished",
    "Job",
    "LocalExecutor",
    "Maybe",
    "Measurement",
    "Needs",
    "Node",
    "Select",
    "Step",
    "Unkeyed",
]
