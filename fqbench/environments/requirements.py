"""A list of requirements: read, narrowed to one version, and compared with what is installed.

The file is what ``pip install -r`` takes, without options: one requirement a line, comments behind
``#``. Comments ``# download: 330 MB`` and ``# installed: 1300 MB`` say how much it is, about.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from fqbench.errors import UsageError

_SIZE = re.compile(r"#\s*(download|installed):\s*(\d+)\s*MB\s*")
_COMMENT = re.compile(r"(^|\s)#.*")


def normalized(name: str) -> str:
    """A distribution's name as it is compared: lower case, with ``-`` alone."""
    return str(canonicalize_name(name))


@dataclass(frozen=True)
class Requirements:
    """A list. ``download``, ``installed``: megabytes (10^6 bytes), None where it does not say."""

    each: tuple[Requirement, ...]
    download: int | None = None
    installed: int | None = None

    @property
    def text(self) -> str:
        """As pip reads it."""
        return "".join(f"{requirement}\n" for requirement in self.each)

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def with_version(self, distribution: str, version: Version) -> Requirements:
        """The list with one version of ``distribution`` in place of what it says of it."""
        others = [each for each in self.each if not _is(each, distribution)]
        return replace(self, each=(Requirement(f"{distribution}=={version}"), *others))

    def specifiers(self, distribution: str) -> list[str]:
        """Which versions of ``distribution`` it takes, on whatever Python."""
        return [str(each.specifier) for each in self.each if _is(each, distribution)]

    def allows(self, distribution: str, version: str) -> bool:
        """Whether it takes ``version`` of ``distribution``, on whatever Python."""
        return any(_takes(each, version) for each in self.each if _is(each, distribution))

    def applying(self, python: str) -> Iterator[Requirement]:
        """Those that apply on ``python``, a version such as 3.11.7, on this machine."""
        minor = ".".join(python.split(".")[:2])
        surroundings = {"python_version": minor, "python_full_version": python}
        for each in self.each:
            if each.marker is None or each.marker.evaluate(surroundings):
                yield each

    def differences(self, versions: Mapping[str, str]) -> list[str]:
        """What of ``versions``, by distribution and of ``python``, is not as listed."""
        found = []
        for each in self.applying(versions["python"]):
            version = versions.get(normalized(each.name))
            wanted = str(each.specifier) or "it"
            if version is None:
                found.append(f"{each.name} is not installed, the list has {wanted}")
            elif not _takes(each, version):
                found.append(f"{each.name} is {version}, the list has {wanted}")
        return found


def parse(text: str, where: str) -> Requirements:
    """The requirements in ``text``. Raises UsageError that names ``where`` and the line."""
    each, sizes = [], {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _SIZE.fullmatch(line.strip()):
            sizes[match[1]] = int(match[2])
        if bare := _COMMENT.sub("", line).strip():
            try:
                each.append(Requirement(bare))
            except InvalidRequirement as error:
                raise UsageError(
                    f"{where}, line {number}: {bare!r} is not a requirement: correct the list"
                ) from error
    return Requirements(tuple(each), sizes.get("download"), sizes.get("installed"))


@cache
def read(reference: str, environment: str) -> Requirements:
    """The list that is the file ``package:path``. Raises UsageError naming the environment."""
    package, _, path = reference.partition(":")
    where = f"the list of requirements {reference} of the environment {environment}"
    try:
        text = files(package).joinpath(path).read_text("utf-8")
    except (ImportError, OSError, UnicodeDecodeError, TypeError) as error:
        raise UsageError(
            f"{where} cannot be read ({error}): reinstall the package that it belongs to"
        ) from error
    return parse(text, where)


def _is(requirement: Requirement, distribution: str) -> bool:
    return normalized(requirement.name) == normalized(distribution)


def _takes(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
