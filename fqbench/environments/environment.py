"""Which environment a name stands for on this machine, found without starting anything heavy.

In the folder of environments, ``NAME/`` is one that was made, whole once its manifest is there, and
``NAME.json`` records the Python of another that is used in its place.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Literal

import platformdirs

from fqbench.environments.probe import versions_of
from fqbench.environments.recipe import HERE, Target, target
from fqbench.environments.requirements import normalized
from fqbench.errors import UsageError

MANIFEST = "fqbench-environment.json"
FORMAT = 1

Where = Literal["made", "used", "here"]


@dataclass(frozen=True)
class Environment:
    """An environment that is there.

    ``executable``: its Python. ``versions``: version by normalized name of each distribution in it,
    and of ``python``. ``where``: made by ``fqbench env make``, another one that is used, or this
    process's.
    """

    name: str
    executable: Path
    versions: Mapping[str, str]
    where: Where


@dataclass(frozen=True)
class Missing:
    """An environment that is not there: why, in one sentence that ends in what to do."""

    name: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """What ``fqbench env make`` records of an environment.

    ``requirements``: digest of the list that it was made of. ``size``: bytes of its files.
    """

    versions: Mapping[str, str]
    requirements: str
    size: int

    @property
    def text(self) -> str:
        """As it is written."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @staticmethod
    def read(folder: Path) -> Manifest | None:
        """Of the environment in ``folder``; None where there is none that is whole."""
        found = _json(folder / MANIFEST)
        versions, digest, size = map(found.get, ("versions", "requirements", "size"))
        if found.get("format") != FORMAT or not isinstance(versions, dict):
            return None
        if not isinstance(digest, str) or not isinstance(size, int) or "python" not in versions:
            return None
        if not all(isinstance(text, str) for pair in versions.items() for text in pair):
            return None
        return Manifest(versions, digest, size) if python_in(folder).exists() else None


def root() -> Path:
    """The folder of environments: FQBENCH_ENVIRONMENTS, else in fqbench's place for user data."""
    named = os.environ.get("FQBENCH_ENVIRONMENTS")
    return (
        Path(named).absolute()
        if named
        else platformdirs.user_data_path("fqbench") / ("environments")
    )


def python_in(folder: Path) -> Path:
    """The Python of an environment that was made in ``folder``."""
    return folder / "bin" / "python"


def find(name: str) -> Environment | Missing:
    """The environment called ``name``: one that is used, else one that was made, else this one.

    This one counts where the recipe's distribution is installed for it in a version that the list
    takes. A name with a version also stands for the recipe's own environment where that has this
    version. What is found is remembered in this process. Only a Python that is used in an
    environment's place is started, to ask for its versions. Raises UsageError where there can be
    no environment of that name.
    """
    return here() if name == HERE else _find(name, root())


def here() -> Environment:
    """The environment of this process."""
    return _here()


def forget() -> None:
    """Look again for what was found: environments were made, removed or chosen."""
    _find.cache_clear()


@cache
def _find(name: str, folder: Path) -> Environment | Missing:
    wanted = target(name)
    found = _used(wanted.name, wanted, folder) or _made(wanted.name, wanted, folder)
    if found is None and wanted.version is not None:
        found = _own_of_recipe(wanted, folder)
    if found is None and _is_here(wanted):
        found = Environment(wanted.name, here().executable, here().versions, "here")
    return found or Missing(
        wanted.name,
        f"the environment {wanted.name} is not on this machine: run {make_command(wanted.name)}",
    )


def make_command(name: str) -> str:
    """What makes the environment ``name``, in quotes."""
    return f"'fqbench env make {name}'"


def recorded_python(name: str, folder: Path) -> Path | None:
    """The Python that ``fqbench env use`` recorded; None where it recorded none."""
    python = _json(folder / f"{name}.json").get("python")
    return Path(python) if isinstance(python, str) else None


def _used(name: str, wanted: Target, folder: Path) -> Environment | Missing | None:
    python = recorded_python(name, folder)
    if python is None:
        return None
    again = f"choose another by 'fqbench env use {name} PYTHON', or run {make_command(name)}"
    try:
        versions = versions_of(python)
    except UsageError as error:
        return Missing(
            name, f"the Python of the environment {name} is not usable: {error}: {again}"
        )
    problem = lacking(wanted, versions)
    if problem is not None:
        return Missing(
            name, f"the environment {name} in {python} is not usable: {problem}: {again}"
        )
    return Environment(wanted.name, python, versions, "used")


def lacking(wanted: Target, versions: Mapping[str, str]) -> str | None:
    """Why a Python with ``versions`` cannot be used for ``wanted``; None where it can.

    Without a version in the name, any version of the distribution will do: that is its user's
    choice.
    """
    distribution = wanted.recipe.distribution
    found = versions.get(normalized(distribution))
    if found is None:
        return f"{distribution} is not installed for it"
    if wanted.version is not None and not wanted.matches(versions):
        return f"it has {distribution} {found}"
    return None


def _made(name: str, wanted: Target, folder: Path) -> Environment | Missing | None:
    place = folder / name
    if not os.path.lexists(place):
        return None
    manifest = Manifest.read(place)
    if manifest is None:
        return Missing(name, f"the environment {place} is not whole: run {make_command(name)}")
    if not wanted.matches(manifest.versions):
        distribution = wanted.recipe.distribution
        found = manifest.versions.get(normalized(distribution), "none")
        return Missing(
            name,
            f"the environment {name} has {distribution} {found}, not the version that is listed:"
            f" run {make_command(name)}",
        )
    return Environment(wanted.name, python_in(place), manifest.versions, "made")


def _own_of_recipe(wanted: Target, folder: Path) -> Environment | None:
    """The environment called as the recipe, where it has the version that is wanted."""
    own = target(wanted.recipe.name)
    for look in (_used, _made):
        found = look(own.name, own, folder)
        if isinstance(found, Environment) and wanted.matches(found.versions):
            return Environment(wanted.name, found.executable, found.versions, found.where)
    return None


def _is_here(wanted: Target) -> bool:
    try:
        found = version(wanted.recipe.distribution)
    except PackageNotFoundError:
        return False
    return wanted.matches({normalized(wanted.recipe.distribution): found})


@cache
def _here() -> Environment:
    versions: dict[str, str] = {}
    for each in distributions():
        if each.name:  # A damaged one has none.
            versions.setdefault(normalized(each.name), each.version)
    versions["python"] = ".".join(map(str, sys.version_info[:3]))
    return Environment(HERE, Path(sys.executable), versions, "here")


def _json(path: Path) -> dict[str, object]:
    """The object in a file; empty where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
