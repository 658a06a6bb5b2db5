"""``Ledger``: what is known of each candidate while the search goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from fqbench.best.candidates import Candidate
from fqbench.best.entry import Entry
from fqbench.best.front import Figures


class Ledger:
    """Entries by the names of their candidates, in their order."""

    def __init__(self, candidates: Iterable[Candidate] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self.add(candidates)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Add candidates of which nothing is known yet."""
        self._entries.update({each.name: Entry(each) for each in candidates})

    def set(self, name: str, **changes: object) -> None:
        """Enter what was found out about ``name``."""
        self._entries[name] = replace(self._entries[name], **changes)  # type: ignore[arg-type]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them."""
        return tuple(self._entries.values())

    @property
    def running(self) -> tuple[Entry, ...]:
        """Those that run, and stand for themselves."""
        return tuple(each for each in self.entries if each.status == "runs")

    def figures(self) -> list[Figures]:
        """Of those that run, timed as they are by now."""
        found = [each.figures for each in self.running]
        return [each for each in found if each is not None]

    def fastest(self, fits: Callable[[Entry], bool]) -> str | None:
        """The fastest of those that run and ``fits``; None where none is timed."""
        known = [
            (each.pace.value, each.name)
            for each in self.running
            if each.pace is not None and fits(each)
        ]
        return min(known)[1] if known else None

    def own_fp32(self, backend: str, device: str) -> str | None:
        """The FP32 of a backend, where it is timed."""
        return self.fastest(
            lambda each: (
                each.candidate.is_fp32
                and (each.candidate.cell.backend, each.candidate.cell.device) == (backend, device)
            )
        )
