"""The machine as results of this session carry it."""

from __future__ import annotations

import json

import pytest

from fqbench import hardware, machine

THREADS = 1
"""Of the runtime, where pytest times."""

FACTS = pytest.StashKey[dict[str, object]]()


def machine_facts(config: pytest.Config) -> dict[str, object]:
    """What is known of the machine, and what ``pytest_fqbench_machine_facts`` makes of it.

    Found once a session. Raises pytest.UsageError where a hook returns what JSON cannot hold.
    """
    if FACTS not in config.stash:
        facts: dict[str, object] = dict(machine.describe(THREADS))
        changes = config.hook.pytest_fqbench_machine_facts(config=config, facts=facts)
        for each in reversed(changes):
            facts = {**facts, **each}
        try:
            json.dumps(facts)
        except (TypeError, ValueError) as error:
            raise pytest.UsageError(
                f"pytest_fqbench_machine_facts returned what JSON cannot hold: {error}"
            ) from error
        config.stash[FACTS] = facts
    return config.stash[FACTS]


def lines(config: pytest.Config) -> list[str]:
    """CPU and versions, for people. Raises pytest.UsageError as ``machine_facts``."""
    machine_facts(config)
    cpu = hardware.cpu()
    isa = ", ".join(cpu["isa"])
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions().items())
    return [f"cpu: {cpu['model']}, {cpu['usable_cores']} usable cores ({isa})", versions]
