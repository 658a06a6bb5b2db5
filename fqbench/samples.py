"""What results were computed from: every recorded time, and accuracies on resampled images.

Written to ``samples.json`` beside ``results.json``; what compares two runs needs more than their
summaries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fqbench.fileio import write_text
from fqbench.jsonvalue import Json
from fqbench.measure.stats import Launches

SCHEMA = 1
FILE = "samples.json"


@dataclass(frozen=True)
class Group:
    """Cells that were timed in turns, by their ids, and the reference kernels beside them.

    Times are in seconds, by launch, round and inference.
    """

    cells: Mapping[str, Launches]
    reference: Mapping[str, Launches]


@dataclass(frozen=True)
class Samples:
    """All of a run. ``accuracies``: by cell, points on all images, then on resamples of them.

    ``measures``: what was measured beside latency, by its name and by cell, in launches as times
    are: seconds by inference at full load, MB, seconds to the first answer, seconds from file to
    answer.
    """

    groups: tuple[Group, ...] = ()
    accuracies: Mapping[str, Sequence[float]] = field(default_factory=dict)
    measures: Mapping[str, Mapping[str, Launches]] = field(default_factory=dict)

    def __add__(self, other: Samples) -> Samples:
        names = dict.fromkeys((*self.measures, *other.measures))
        return Samples(
            (*self.groups, *other.groups),
            {**self.accuracies, **other.accuracies},
            {
                name: {**self.measures.get(name, {}), **other.measures.get(name, {})}
                for name in names
            },
        )

    def to_json(self, created: str) -> dict[str, Json]:
        """The whole as a JSON object; ``created`` tells which results it belongs to."""
        return {"schema": SCHEMA, "created": created, **asdict(self)}

    def write(self, folder: Path, created: str) -> Path:
        """Write ``samples.json`` into ``folder``, all of it or nothing; return its path."""
        return write_text(folder / FILE, json.dumps(self.to_json(created), allow_nan=False))
