"""The machine of a run, which tells series apart, and its environment, which may change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fqbench.jsonvalue import Json

if TYPE_CHECKING:
    from fqbench.machine import MachineFacts

SHOWN_DIGITS = 6
"""Of a machine's key, in tables."""


@dataclass(frozen=True)
class Machine:
    """A kind of machine: runs on two kinds are never compared.

    ``facts``: those of the CPU that decide whether times on it compare, as the gate has them, and
    what hides instruction sets from runtimes. GPU cells also depend on the GPU, which stands beside
    it.
    """

    facts: Mapping[str, Json]

    @property
    def key(self) -> str:
        """What distinguishes it: a digest of its facts."""
        return digest(self.facts)

    @property
    def label(self) -> str:
        """In a few words."""
        hidden = " (instruction sets hidden)" if self.facts.get("hidden") else ""
        cores = self.facts.get("usable_cores")
        return (
            f"{self.facts.get('model', 'unknown')}{hidden}, {cores}"
            f" {'core' if cores == 1 else 'cores'} [{self.key[:SHOWN_DIGITS]}]"
        )


@dataclass(frozen=True)
class Difference:
    """A fact of the environment that is another one now; None: it was or is not there."""

    name: str
    before: str | None
    now: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} {self.now} is new"
        if self.now is None:
            return f"{self.name} {self.before} is gone"
        return f"{self.name} {self.before} → {self.now}"


def machine_of(facts: MachineFacts) -> Machine:
    """The kind of machine that results were measured on."""
    cpu = facts["cpu"]
    return Machine(
        {
            "model": cpu["model"],
            "arch": cpu["arch"],
            "isa": list(cpu["isa"]),
            "cores": cpu["cores"],
            "usable_cores": cpu["usable_cores"],
            "hidden": dict(facts.get("hidden", {})),
        }
    )


def environment_of(facts: MachineFacts) -> dict[str, str]:
    """Everything else that times and answers may depend on: what it is, by what it is called."""
    gpu, settings = facts.get("gpu"), facts.get("settings", {})
    found = {
        **facts["versions"],
        **dict(_of_others(facts)),
        **{f"{name} (toolkit)": version for name, version in facts.get("toolkits", {}).items()},
        **settings,
    }
    if "system" in facts:
        found["system"] = facts["system"]
    if gpu is not None:
        found |= {"GPU": gpu["name"], "GPU driver": gpu["driver"]}
    return found


def _of_others(facts: MachineFacts) -> Iterator[tuple[str, str]]:
    """Versions in environments of their own that are not the same as in ``versions``."""
    for environment, versions in facts.get("environments", {}).items():
        for name, version in versions.items():
            if facts["versions"].get(name) != version:
                yield f"{name} (environment {environment})", version


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Difference, ...]:
    """What differs between two environments, in alphabetical order."""
    if before == now:
        return ()
    names = sorted({*before, *now}, key=str.casefold)
    pairs = (Difference(name, before.get(name), now.get(name)) for name in names)
    return tuple(each for each in pairs if each.before != each.now)


def digest(facts: Mapping[str, Json]) -> str:
    """SHA-256 of facts, whatever their order."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
