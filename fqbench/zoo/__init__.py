"""Models that fqbench knows by name: embedded ones, those of the published table, seeded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fqbench.zoo import published
from fqbench.zoo.embedded import DATA_VERSION, embedded_names, materialize, spec
from fqbench.zoo.published import published_names
from fqbench.zoo.seeded import models as seeded
from fqbench.zoo.seeded.models import seeded_names

GROUPS: Mapping[str, Callable[[], tuple[str, ...]]] = MappingProxyType(
    {published.GROUP: published_names, seeded.GROUP: seeded_names}
)
"""Models that have a name together."""


def known_names() -> tuple[str, ...]:
    """The names of all models."""
    return (*embedded_names(), *published_names(), *seeded_names())


__all__ = [
    "DATA_VERSION",
    "GROUPS",
    "embedded_names",
    "known_names",
    "materialize",
    "published_names",
    "seeded_names",
    "spec",
]
