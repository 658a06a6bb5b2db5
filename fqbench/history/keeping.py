"""How a run keeps itself: what goes wrong with the history is a warning, never a failure."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from fqbench.errors import FqbenchError
from fqbench.history.database import default_folder
from fqbench.history.provenance import Provenance, provenance
from fqbench.history.reader import since_last
from fqbench.history.records import Since
from fqbench.history.writer import record
from fqbench.machine import MachineFacts
from fqbench.results import Results
from fqbench.samples import Samples

_log = logging.getLogger(__name__)


@dataclass
class Keeper:
    """Of one run, made before it begins: its commit is the one that it began with.

    ``working``: the folder that it was started in; ``folder``: that of the history.
    """

    working: Path
    folder: Path = field(default_factory=default_folder)
    _source: Provenance = field(init=False)
    _since: list[Since | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._source = provenance(self.working)

    def since(self, facts: MachineFacts) -> Since | None:
        """What differs in the environment against the last run; None if that is not known."""
        if not self._since:
            try:
                self._since.append(since_last(self.folder, facts))
            except FqbenchError as error:
                _log.warning("%s", error)
                self._since.append(None)
        return self._since[0]

    def keep(self, results: Results, samples: Samples) -> int | None:
        """Keep the run; its number, None where it could not be kept."""
        try:
            return record(results, samples, self._source, self.folder)
        except FqbenchError as error:
            _log.warning("%s; this run is not kept there, its results are written", error)
            return None
