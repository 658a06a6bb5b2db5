"""The backends there are: entry points of the group ``fqbench.backends``, ours as anybody's.

    [project.entry-points."fqbench.backends"]
    name = "package.module:BACKEND"

``BACKEND`` is a ``fqbench.backends.record.Backend`` of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint

from fqbench import plugins
from fqbench.backends.base import Runtime
from fqbench.backends.record import Backend, Int8Form, resolve
from fqbench.errors import UsageError

GROUP = "fqbench.backends"


@cache
def backends() -> Mapping[str, Backend]:
    """The backends by name: fqbench's own, then those of others by name.

    Raises UsageError naming the package whose backend cannot be used.
    """
    return load(None)


def load(points: Iterable[EntryPoint] | None) -> Mapping[str, Backend]:
    """The backends of entry points; None: of all that is installed. See ``backends``."""
    found = plugins.load(GROUP, Backend, points)
    for name, known in found.items():
        if isinstance(known.int8, str):
            _check_form(name, known.int8, found)
    return found


def backend(name: str) -> Backend:
    """The backend called ``name``. Raises UsageError where there is none."""
    known = backends()
    if name not in known:
        raise UsageError(f"there is no backend {name!r}: the backends are {', '.join(known)}")
    return known[name]


def lowering_target(name: str) -> str:
    """The backend whose INT8 form ``name`` runs, and whose margins hold for it."""
    form = backend(name).int8
    return form if isinstance(form, str) else name


def int8_form(name: str) -> Int8Form:
    """The INT8 form that the backend called ``name`` runs. Raises UsageError where it has none."""
    form = backend(lowering_target(name)).int8
    if not isinstance(form, Int8Form):
        raise UsageError(f"the backend {name!r} has no INT8")
    return form


def runtime(name: str) -> Runtime:
    """What runs models on the backend called ``name``."""
    made: Runtime = resolve(backend(name).runtime)()
    return made


def label_of(name: str) -> str:
    """What reports call a backend; its name where results are of one that is not there."""
    known = backends().get(name)
    return name if known is None else known.label


def _check_form(name: str, named: str, known: Mapping[str, Backend]) -> None:
    """Raise UsageError where the backend ``named``, whose form ``name`` runs, has none."""
    if named not in known:
        why = "is no backend"
    elif not isinstance(known[named].int8, Int8Form):
        why = "has none of its own"
    else:
        return
    raise UsageError(
        f"the backend {name!r} runs the INT8 form of {named!r}, which {why}: repair or uninstall"
        f" the package that has {name!r}"
    )
