"""What environments are made of: entry points of the group ``fqbench.environments``.

    [project.entry-points."fqbench.environments"]
    name = "package.module:RECIPE"

``RECIPE`` is a ``Recipe`` of that name. An environment is called as its recipe is, or, with another
version of what the recipe is for, ``name==version``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from fqbench import plugins
from fqbench.environments.requirements import Requirements, normalized, read
from fqbench.errors import UsageError

GROUP = "fqbench.environments"

HERE = "here"
"""What the environment of this process is called, and so no recipe."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"[0-9A-Za-z.!+_-]+")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[\w./-]+")


@dataclass(frozen=True)
class Alternative:
    """The list for some versions of a recipe's distribution that its main list is not for.

    ``versions``: these, as a PEP 440 specifier. ``requirements``, ``python``: see ``Recipe``.
    """

    versions: str
    requirements: str
    python: str

    def __post_init__(self) -> None:
        _check_specifier("versions", self.versions)
        _check_list(self.requirements, self.python)


@dataclass(frozen=True)
class Recipe:
    """What an environment of a runtime or a toolkit is made of.

    ``name``: what it is called; ``label``: what people read. ``requirements``: the list of all that
    is in it, as ``package:path`` of a file of a package, read with ``importlib.resources``.
    ``python``: the Pythons that it runs on, as a PEP 440 specifier. ``distribution``: what it is
    for, which must be in it and whose version may be chosen. ``alternatives``: lists for versions
    that the main one is not for; where several are, the first counts.
    """

    name: str
    label: str
    requirements: str
    python: str
    distribution: str
    alternatives: tuple[Alternative, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == HERE:
            raise ValueError(
                f"name is {self.name!r}, expected lower-case letters, digits and underscores, and"
                f" not {HERE!r}"
            )
        _check_list(self.requirements, self.python)


@dataclass(frozen=True)
class Target:
    """An environment that can be made.

    ``name``: what it and its folder are called. ``version``: of the recipe's distribution; None:
    as the recipe's list has it. ``python``: the Pythons that it can be made with.
    """

    name: str
    recipe: Recipe
    version: Version | None
    requirements: Requirements
    python: SpecifierSet

    def matches(self, versions: Mapping[str, str]) -> bool:
        """Whether ``versions``, by distribution, have the recipe's as the list asks for it."""
        found = versions.get(normalized(self.recipe.distribution))
        return found is not None and self.requirements.allows(self.recipe.distribution, found)


@cache
def recipes() -> Mapping[str, Recipe]:
    """The recipes by name: fqbench's own, then those of others.

    Raises UsageError naming the package whose recipe cannot be used.
    """
    return plugins.load(GROUP, Recipe)


def target(name: str) -> Target:
    """The environment called ``name``. Raises UsageError where there can be none."""
    base, sign, chosen = name.partition("==")
    if not _NAME.fullmatch(base) or (sign and not _VERSION.fullmatch(chosen)):
        raise UsageError(
            f"{name!r} cannot be the name of an environment: expected NAME or NAME==VERSION, such"
            " as 'fqbench env list' shows"
        )
    known = recipes()
    if base not in known:
        raise UsageError(f"there is no environment {base!r}: there can be {', '.join(known)}")
    recipe = known[base]
    if not sign:
        found = read(recipe.requirements, base)
        return Target(base, recipe, None, found, SpecifierSet(recipe.python))
    try:
        version = Version(chosen)
    except InvalidVersion as error:
        raise UsageError(
            f"{chosen!r} is not a version of {recipe.distribution}: expected one such as 1.2.3"
        ) from error
    return _versioned(recipe, version)


def _versioned(recipe: Recipe, version: Version) -> Target:
    """The environment with ``version`` of the recipe's distribution."""
    name = f"{recipe.name}=={version}"
    found = None
    for each in recipe.alternatives:
        if SpecifierSet(each.versions).contains(version, prereleases=True):
            found, python = read(each.requirements, name), each.python
            break
    else:
        main = read(recipe.requirements, name)
        if main.allows(recipe.distribution, str(version)):
            found, python = main, recipe.python
    if found is None:
        main_versions = main.specifiers(recipe.distribution)
        listed = [*main_versions, *(each.versions for each in recipe.alternatives)]
        raise UsageError(
            f"there is no list of requirements for {recipe.distribution} {version}: there are some"
            f" for {' and '.join(listed)}"
        )
    pinned = found.with_version(recipe.distribution, version)
    return Target(name, recipe, version, pinned, SpecifierSet(python))


def _check_list(requirements: str, python: str) -> None:
    if not _REFERENCE.fullmatch(requirements):
        raise ValueError(f"requirements is {requirements!r}, expected 'package:path'")
    _check_specifier("python", python)


def _check_specifier(field: str, text: str) -> None:
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f"{field} is {text!r}, expected such as '>=3.10,<3.13'") from error
