"""Steps as data, and what became of them; ``executor.py`` carries them out."""

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
    "Files",
    "Finished",
    "Job",
    "Maybe",
    "Measurement",
    "Needs",
    "Node",
    "Select",
    "Step",
    "Unkeyed",
]
