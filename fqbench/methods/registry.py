"""The methods there are: entry points of the group ``fqbench.methods``, ours as anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fqbench import plugins
from fqbench.errors import UsageError
from fqbench.methods.record import Method

GROUP = "fqbench.methods"
"""The group of entry points that methods are found by."""

DEFAULT = "offline"
"""The method that is taken where none is asked for."""


@cache
def methods() -> Mapping[str, Method]:
    """The methods by name, the default one first. Raises UsageError as ``plugins.load``."""
    found = plugins.load(GROUP, Method)
    return {DEFAULT: found[DEFAULT], **found}


def method(name: str) -> Method:
    """The method called ``name``. Raises UsageError where there is none."""
    known = methods()
    if name not in known:
        raise UsageError(f"there is no method {name!r}: the methods are {', '.join(known)}")
    return known[name]


def check_offered(name: str) -> None:
    """Raise UsageError where no method that can be asked for is called ``name``."""
    if name not in offered():
        raise UsageError(f"there is no method {name!r}: the methods are {', '.join(offered())}")


def offered() -> tuple[str, ...]:
    """Names of the methods that can be asked for."""
    return tuple(name for name, known in methods().items() if known.offered)
