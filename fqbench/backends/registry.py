"""The backends there are: entry points of the group ``fqbench.backends``, ours as anybody's.

    [project.entry-points."fqbench.backends"]
    name = "package.module:BACKEND"

``BACKEND`` is a ``fqbench.backends.record.Backend`` of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint

from fqbench import plugins
from fqbench.backends.base import Runtime
from fqbench.backends.record import Backend, Int8Form, resolve
from fqbench.errors import UsageError

GROUP = "fqbench.backends"

VERSION = "=="
"""What stands between a backend's name and the version that is meant."""

_VERSION = re.compile(rf"{VERSION}\d[\w.]*")


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
    """The backend called ``name``, which may be a version of one: ``onnxruntime==1.23.2``.

    A version runs what the backend itself makes. Raises UsageError where there is none.
    """
    known, base = backends(), unversioned(name)
    if base not in known:
        raise UsageError(f"there is no backend {name!r}: the backends are {', '.join(known)}")
    if base != name and not _VERSION.fullmatch(name.removeprefix(base)):
        raise UsageError(f"{name!r} is no version of {base}: expected one such as {base}==1.2.3")
    return known[base] if base == name else _in_version(known[base], name)


def unversioned(name: str) -> str:
    """The name of the backend that ``name`` is, or is a version of."""
    return name.partition(VERSION)[0]


def _in_version(known: Backend, name: str) -> Backend:
    """``known`` in the version that ``name`` tells: in an environment of that name."""
    return replace(
        known,
        name=name,
        label=f"{known.label} {name.partition(VERSION)[2]}",
        environment=name,
        int8=known.name if isinstance(known.int8, Int8Form) else known.int8,
    )


def lowering_target(name: str) -> str:
    """The backend whose INT8 form ``name`` runs, and whose margins hold for it."""
    form = backend(name).int8
    return form if isinstance(form, str) else name


def int8_form(name: str) -> Int8Form:
    """The INT8 form that the backend called ``name`` runs. Raises UsageError where it has none."""
    form = backend(lowering_target(name)).int8
    if not isinstance(form, Int8Form):
        raise UsageError(f"the backend {name!r} has no INT8: choose another by --backends")
    return form


def runtime(name: str) -> Runtime:
    """What runs models on the backend called ``name``."""
    made: Runtime = resolve(backend(name).runtime)()
    return made


def label_of(name: str) -> str:
    """What reports call a backend; its name where results are of one that is not there."""
    return backend(name).label if unversioned(name) in backends() else name


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
